"""When a failed attempt is tried again, and what errors have to say about it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import (
    AuthExpired,
    Conflict,
    InvalidInput,
    RateLimited,
    Snooze,
    Steer,
    TimedOut,
    Unavailable,
    UnknownTask,
    WorkerLost,
)
from backend.runtime.retry import YEAR_S, Decision, Retry, decide

PLAIN = Retry(attempts=4, base=5.0, factor=2.0, cap=30.0, jitter=0.0)


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


def test_delays_double_up_to_the_cap() -> None:
    assert [PLAIN.delay(attempt) for attempt in (1, 2, 3, 4, 5)] == seconds(5, 10, 20, 30, 30)


def test_jitter_takes_away_at_most_its_share() -> None:
    policy = Retry(base=10.0, jitter=0.2)
    assert policy.delay(1, chance=lambda: 0.0) == timedelta(seconds=10)
    assert policy.delay(1, chance=lambda: 1.0) == timedelta(seconds=8)


policies = st.builds(
    Retry,
    attempts=st.integers(1, 1_000_000),
    base=st.floats(0, YEAR_S),
    factor=st.floats(1, 100),
    cap=st.floats(0, YEAR_S),
    jitter=st.floats(0, 1),
)


@given(policies, st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_is_never_negative_and_never_over_the_cap(policy: Retry, attempt: int, luck: float) -> None:
    delay = policy.delay(attempt, lambda: luck)
    assert timedelta(0) <= delay <= timedelta(seconds=policy.cap) + timedelta(microseconds=1)
    assert policy.delay(attempt + 1, lambda: luck) >= delay


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", 0),
        ("base", -1),
        ("factor", 0.5),
        ("factor", 1e9),
        ("cap", -1),
        ("jitter", 1.5),
        ("base", float("nan")),
    ],
)
def test_a_policy_that_cannot_work_names_its_field(field: str, value: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        Retry(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize("error", [ValueError("x"), Unavailable("away"), TimedOut("slow"), SystemExit(1)])
def test_most_errors_are_tried_again_until_the_attempts_are_spent(error: BaseException) -> None:
    assert decide(error, 3, PLAIN) == Decision(Steer.RETRY, timedelta(seconds=20))
    assert decide(error, 4, PLAIN) == Decision(Steer.DIE)


@pytest.mark.parametrize("error", [InvalidInput("x"), Conflict("x"), UnknownTask("x"), WorkerLost("x")])
def test_permanent_errors_are_not_tried_again(error: Exception) -> None:
    assert decide(error, 1, PLAIN) == Decision(Steer.DIE)


def test_retry_after_is_obeyed_when_it_is_longer_than_the_delay() -> None:
    assert decide(RateLimited("wait", after=timedelta(seconds=90)), 1, PLAIN).after == timedelta(seconds=90)
    assert decide(RateLimited("wait", after=timedelta(seconds=1)), 1, PLAIN).after == timedelta(seconds=5)
    assert decide(RateLimited("wait", after=timedelta(seconds=90)), 4, PLAIN) == Decision(Steer.DIE)


def test_a_snooze_waits_as_long_as_it_says() -> None:
    assert decide(Snooze(after=timedelta(minutes=5)), 4, PLAIN) == Decision(Steer.SNOOZE, timedelta(minutes=5))


def test_an_expired_sign_in_parks_on_its_subject() -> None:
    assert decide(AuthExpired("x", subject="account:did:plc:a"), 9, PLAIN).subject == "account:did:plc:a"


@given(st.timedeltas())
def test_no_wait_that_an_error_asks_for_is_absurd(wait: timedelta) -> None:
    for error in (Snooze(after=wait), RateLimited("wait", after=wait)):
        assert timedelta(0) <= decide(error, 1, PLAIN).after <= timedelta(seconds=YEAR_S)
