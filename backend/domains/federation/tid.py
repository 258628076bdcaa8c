"""TIDs, the keys of records: 13 letters that sort by time, as https://atproto.com/specs/tid says."""

import secrets
import threading
import time

LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
LENGTH = 13

_lock = threading.Lock()
_clock = secrets.randbelow(1024)  # tells processes apart that ask in the same microsecond
_last = 0


def new_tid() -> str:
    """A TID later than every other this process made."""
    global _last
    with _lock:
        _last = max(time.time_ns() // 1000, _last + 1)
        return tid_of(_last, _clock)


def tid_of(microseconds: int, clock: int = 0) -> str:
    """The TID of a moment (Unix time in microseconds) and a clock id of 10 bits."""
    number = (microseconds & (2**53 - 1)) << 10 | clock & 1023
    return "".join(LETTERS[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
