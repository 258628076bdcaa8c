"""What an uploader called a file: shown to people, never used as a path."""

import unicodedata

LONGEST = 500
UNTITLED = "Untitled"
_MIRRORING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown_name(name: str | None) -> str | None:
    """A name that every database and every page can show: no control character, no turned text, at most 500 long."""
    if name is None:
        return None
    whole = name.encode("utf-8", "replace").decode("utf-8")
    clean = "".join(each for each in whole if unicodedata.category(each) != "Cc" and each not in _MIRRORING)
    return unicodedata.normalize("NFC", clean).strip()[:LONGEST] or None


def title_of(filename: str | None) -> str:
    """A title for a track nobody gave one: the file's name, without folders and suffix."""
    last = (shown_name(filename) or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    # `01. Intro` has no suffix; `intro.flac` has one.
    named = stem if dot and stem and suffix.isalnum() and len(suffix) <= 5 else last
    return named.strip(" .") or UNTITLED
