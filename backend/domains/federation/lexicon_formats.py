"""The string formats of lexicons: https://atproto.com/specs/lexicon#string-formats."""

import re
from collections.abc import Callable
from datetime import datetime

_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]{1,2048}(?<![:%])")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HANDLE = re.compile(rf"(?=.{{3,253}}$)(?:{_LABEL}\.)+[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?")
_NSID = re.compile(
    rf"(?=.{{3,317}}$)[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?(?:\.{_LABEL})+\.[a-zA-Z][a-zA-Z0-9]{{0,62}}"
)
_RECORD_KEY = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_~.:-]{1,512}")
_CID = re.compile(r"[a-zA-Z0-9+=]{8,256}")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9.+-]{0,80}:(?://)?[^\s/]\S*")
# RFC 3339, with a time zone; year zero and "unknown local offset" are nobody's.
_DATETIME = re.compile(
    r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(?:\.\d{1,20})?(?:Z|[+-][0-2]\d:[0-5]\d)(?<!-00:00)"
)


def _is_datetime(text: str) -> bool:
    if len(text) > 64 or text.startswith("000") or not _DATETIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text))
    except ValueError:
        return False
    return True


def _is_at_uri(text: str) -> bool:
    if len(text) > 8192 or not text.startswith("at://"):
        return False
    authority, *path = text.removeprefix("at://").split("/")
    checks = (_NSID, _RECORD_KEY)
    return (
        bool(_DID.fullmatch(authority) or _HANDLE.fullmatch(authority))
        and len(path) <= len(checks)
        and all(check.fullmatch(part) for check, part in zip(checks, path, strict=False))
    )


FORMATS: dict[str, Callable[[str], object]] = {
    "datetime": _is_datetime,
    "at-uri": _is_at_uri,
    "did": _DID.fullmatch,
    "handle": _HANDLE.fullmatch,
    "nsid": _NSID.fullmatch,
    "record-key": _RECORD_KEY.fullmatch,
    "cid": _CID.fullmatch,
    "uri": lambda text: len(text) <= 8192 and _URI.fullmatch(text),
}
"""Each format's name, and a test that is true of a text that has it."""
