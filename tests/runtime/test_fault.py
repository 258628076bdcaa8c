"""Errors as the ledger keeps them."""

import pytest

from backend.errors import Unavailable
from backend.runtime.fault import MESSAGE_LIMIT, TRACEBACK_LIMIT, Fault, group_of


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Unpicklable(Exception):
    def __init__(self, socket: object, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.callback = lambda: socket


def caught(error: BaseException) -> Fault:
    try:
        raise error
    except BaseException as found:
        return Fault.of(found)


def test_a_fault_says_what_where_and_why() -> None:
    try:
        try:
            raise KeyError("track")
        except KeyError as cause:
            raise Unavailable("the store is away") from cause
    except Unavailable as error:
        fault = Fault.of(error)
    assert (fault.type, fault.message) == ("Unavailable", "the store is away")
    assert fault.traceback is not None
    assert "KeyError: 'track'" in fault.traceback
    assert "test_fault.py" in fault.traceback


def test_errors_of_others_are_named_with_their_module() -> None:
    assert caught(Unpicklable(object(), code=3)).type == f"{__name__}.Unpicklable"


def test_an_error_that_cannot_speak_is_kept_all_the_same() -> None:
    fault = caught(Speechless())
    assert fault.type == f"{__name__}.Speechless"
    assert "failed" in fault.message
    assert fault.traceback


def test_an_error_in_a_ring_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert "first" in (caught(first).traceback or "")


def test_groups_of_errors_are_kept_whole() -> None:
    fault = caught(ExceptionGroup("two", [ValueError("a"), Speechless()]))
    assert "ValueError: a" in (fault.traceback or "")


def test_everything_is_cut_to_what_the_ledger_holds() -> None:
    name = "E" * 500
    fault = caught(type(name, (Exception,), {})("m" * 9999 + "\x00\ud800"))
    assert len(fault.type) <= 200
    assert len(fault.message) <= MESSAGE_LIMIT + 20
    assert len(fault.traceback or "") <= TRACEBACK_LIMIT + 20
    fault.message.encode()
    assert caught(ValueError("\ud800")).group
    assert "\x00" not in fault.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no file '/a/b.flac'", "no file '/c.wav'"),
        ("run 018f3c2e9a7b7c8d failed after 3 tries", "run 77aa55bb11cc failed after 12 tries"),
        ('key "x" is missing\nat 3', 'key "y" is missing\nat 4'),
    ],
)
def test_errors_that_read_alike_are_one_group(one: str, other: str) -> None:
    assert group_of("ValueError", one) == group_of("ValueError", other)
    assert group_of("ValueError", one) != group_of("KeyError", one)
    assert group_of("ValueError", one) != group_of("ValueError", "something else")


def test_as_an_event_of_a_span() -> None:
    assert caught(ValueError("x")).attributes()["exception.message"] == "x"


def test_it_keeps_no_secret() -> None:
    try:
        raise ValueError("redis://me:hunter2@redis:6379 is away")
    except ValueError as error:
        fault = Fault.of(error)
    assert fault.message == "redis://•••@redis:6379 is away"
    # The line of the source is in the traceback too, and loses its password like any other text.
    assert "hunter2" not in str(fault.traceback)
