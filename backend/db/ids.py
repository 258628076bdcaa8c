"""Identifiers: UUID version 7 (RFC 9562), so that the order of ids is the order of creation."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A UUIDv7 as text. Ids made in one process always ascend."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits of their fraction, bumped when the clock stands still.
        moment = max((time.time_ns() << 12) // 1_000_000, _last + 1)
        _last = moment
    millis, fraction = moment >> 12, moment & 0xFFF
    tail = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return str(UUID(int=(millis << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | tail))
