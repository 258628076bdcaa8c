"""Names of objects: typed, checked, and built only here, so that no uploaded text ever becomes a path."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from backend.errors import InvalidInput

LONGEST_PATH = 500  # bytes; the column that keeps keys is as wide
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_OWNER = re.compile(r"(^|/)(?P<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})([/.]|$)")

CONTENT_TYPES = MappingProxyType(
    {
        ".aac": "audio/aac",
        ".aiff": "audio/aiff",
        ".caf": "audio/x-caf",
        ".flac": "audio/flac",
        ".jpg": "image/jpeg",
        ".json": "application/json",
        ".m3u8": "application/vnd.apple.mpegurl",
        ".m4a": "audio/mp4",
        ".m4s": "video/iso.segment",
        ".mp3": "audio/mpeg",
        ".mp4": "audio/mp4",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
        ".png": "image/png",
        ".wav": "audio/wav",
        ".wv": "audio/x-wavpack",
        ".zip": "application/zip",
    }
)


class Bucket(StrEnum):
    """Who may fetch what lies in it."""

    PRIVATE = "private"  # by signed URL, for a while
    PUBLIC = "public"  # anyone


@dataclass(frozen=True, order=True)
class ObjectKey:
    """The name of one object: its bucket, and a path of parts joined by `/`.

    A part starts with a letter or a digit and holds letters, digits, `.`, `_` and `-`: no traversal, no empty part, no
    control character, nothing that a shell, a URL or a file system reads in its own way. Raises InvalidInput.
    """

    bucket: Bucket
    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "bucket", _bucket(self.bucket))
        if len(self.path) > LONGEST_PATH:
            raise InvalidInput(f"an object path has at most {LONGEST_PATH} characters", field="path")
        for part in self.path.split("/"):
            _checked(part)

    @property
    def suffix(self) -> str:
        """The last part's suffix with its dot, or nothing."""
        stem, dot, suffix = self.path.rpartition("/")[2].rpartition(".")
        return f".{suffix.lower()}" if stem and dot else ""

    @property
    def content_type(self) -> str:
        """What the suffix says. Local directories keep no types, so here the name is the one truth."""
        return CONTENT_TYPES.get(self.suffix, "application/octet-stream")

    def within(self, bucket: Bucket) -> "ObjectKey":
        """The same path in this bucket: what was made of a gated track lies in the private one."""
        return ObjectKey(bucket, self.path)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.path}"


def original_key(version_id: str, suffix: str) -> ObjectKey:
    """The uploaded file of a version, as it came. `suffix` carries its dot."""
    return ObjectKey(Bucket.PRIVATE, f"originals/{_checked(version_id)}{_suffix(suffix)}")


def hls_prefix(version_id: str, format: str) -> str:
    """Where the stream of a version in one format lies, with the closing `/`."""
    return f"{_checked(version_id)}/{_checked(format)}/"


def hls_key(version_id: str, format: str, name: str) -> ObjectKey:
    """A playlist, an init segment or a media segment of a stream."""
    return ObjectKey(Bucket.PUBLIC, f"{hls_prefix(version_id, format)}{_checked(name)}")


def master_key(version_id: str) -> ObjectKey:
    """The playlist that leads to every stream of a version. It lies above them, so that it names them by short paths."""
    return ObjectKey(Bucket.PUBLIC, f"{_checked(version_id)}/master.m3u8")


def waveform_key(version_id: str, suffix: str) -> ObjectKey:
    """The waveform of a version: `.json` and `.dat` for the data, `.png` for the picture."""
    return ObjectKey(Bucket.PUBLIC, f"{_checked(version_id)}/waveform{_suffix(suffix)}")


def artwork_key(owner_id: str, name: str) -> ObjectKey:
    """A picture made for a track: of the version that carried it, or of the track itself when it was generated."""
    return ObjectKey(Bucket.PUBLIC, f"artwork/{_checked(owner_id)}/{_checked(name)}")


def export_key(export_id: str) -> ObjectKey:
    """The archive of an export. The last part is what a browser names the file."""
    return ObjectKey(Bucket.PRIVATE, f"exports/{_checked(export_id)}/tracks.zip")


def owner_of(key: ObjectKey) -> str | None:
    """The id of the thing an object belongs to: the UUID in its path. None for what no builder here named."""
    found = _OWNER.search(key.path)
    return found["id"] if found else None


def _bucket(name: str) -> Bucket:
    try:
        return Bucket(name)
    except ValueError:
        raise InvalidInput(f"no bucket {name!r}: buckets are private and public", field="bucket") from None


def _suffix(suffix: str) -> str:
    if not suffix.startswith("."):
        raise InvalidInput(f"a suffix starts with a dot, got {suffix!r}", field="suffix")
    _checked(suffix[1:])
    return suffix


def _checked(part: str) -> str:
    if _PART.fullmatch(part):
        return part
    what = "is empty" if not part else f"{part[:80]!r} holds {_offence(part)}"
    raise InvalidInput(f"not a name for an object: a part of the path {what}", field="path")


def _offence(part: str) -> str:
    if part.startswith("."):
        return "a leading dot"
    if any(unicodedata.category(character) == "Cc" for character in part):
        return "a control character"
    return "a character that is none of letters, digits, dot, dash and underscore"
