"""Names of files inside an archive: pure, from titles that may hold anything to names that every system takes."""

import re
import unicodedata

LONGEST = 180  # bytes of UTF-8; most file systems take 255, and unpackers put things in front
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_REFUSED = re.compile(r'[<>:"/\\|?*]')
_GAPS = re.compile(r"\s+")


class Names:
    """Gives each file of one archive a name of its own, whatever its case: some systems know no difference."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, title: str, suffix: str) -> str:
        """A name for a title. The first keeps it; the next ones get ` (2)`, ` (3)` and so on. `suffix` has its dot."""
        stem = file_stem(title)
        number, name = 1, f"{stem}{suffix}"
        while _folded(name) in self._taken:
            number += 1
            name = f"{_cut(stem, LONGEST - len(f' ({number})'))} ({number}){suffix}"
        self._taken.add(_folded(name))
        return name


def file_stem(title: str) -> str:
    """A title without what a file system refuses, reads as a path, or does not show. Letters of any script stay."""
    plain = unicodedata.normalize("NFC", title)
    plain = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in plain)
    plain = _GAPS.sub(" ", _REFUSED.sub("-", plain))
    plain = _cut(plain.strip(" ."), LONGEST).strip(" .")
    if not plain:
        return "untitled"
    return f"_{plain}" if _RESERVED.match(plain) else plain


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
