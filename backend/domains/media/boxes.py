"""The boxes of an MP4 file: whether it is whole (ISO/IEC 14496-12, 4.2)."""

import os
import struct
from pathlib import Path

_HEADER = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")


def is_whole(file: Path) -> bool:
    """Whether a file is there and holds boxes from its first byte to its last, none of them cut short."""
    if not file.is_file():
        return False
    end, at = file.stat().st_size, 0
    with file.open("rb") as opened:
        while at < end:
            header = opened.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return False
            size = _HEADER.unpack(header)[0]
            if size == 1:  # the size follows, in 64 bits
                large = opened.read(_LARGE.size)
                size = _LARGE.unpack(large)[0] if len(large) == _LARGE.size else 0
            if size < _HEADER.size:  # a box without end has no place in a stream that is whole
                return False
            at += size
            opened.seek(at, os.SEEK_SET)
    return 0 < at == end
