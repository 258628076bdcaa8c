"""TIDs: the protocol's form, and an order that is that of time."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.domains.federation.tid import new_tid, tid_of

FORM = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")


@pytest.mark.parametrize(
    ("microseconds", "clock", "tid"),
    # The last is the example of https://atproto.com/specs/tid
    [(0, 0, "2222222222222"), (2**53 - 1, 1023, "bzzzzzzzzzzzz"), (1_688_137_381_887_007, 6, "3jzfcijpj2z2a")],
)
def test_a_moment_has_one(microseconds: int, clock: int, tid: str) -> None:
    assert tid_of(microseconds, clock) == tid
    assert FORM.fullmatch(tid)


def test_each_is_later_than_the_one_before() -> None:
    made = [new_tid() for _ in range(5000)]
    assert made == sorted(set(made))
    assert all(FORM.fullmatch(each) for each in made)


def test_threads_share_the_clock() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_tid(), range(4000)))
    assert len(set(made)) == 4000


def test_processes_do_not_share_the_clock_id() -> None:
    program = "from backend.domains.federation.tid import new_tid; print(new_tid()[-2:])"
    said = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(4)}
    assert len(said) > 1
