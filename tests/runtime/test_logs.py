"""The log of an attempt."""

import asyncio
import logging

import pytest

from backend.runtime.logs import AttemptLog, AttemptLogHandler, capture_logs, current_log

logger = logging.getLogger("a.stranger")


def messages(log: AttemptLog) -> list[str]:
    return [line["message"] for line in log.lines()]  # type: ignore[index]


@pytest.fixture
def log() -> AttemptLog:
    capture_logs()
    log = AttemptLog(limit=6)
    current_log.set(log)
    return log


def test_lines_are_kept_with_time_level_and_logger(log: AttemptLog) -> None:
    logger.warning("%d of %d", 3, 4)
    (line,) = log.lines()
    assert isinstance(line, dict)
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "a.stranger", "3 of 4")
    assert str(line["at"]).endswith("+00:00")


def test_a_traceback_is_kept_with_its_line(log: AttemptLog) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        logger.exception("it failed")
    assert "KeyError: 'x'" in messages(log)[0]


def test_the_middle_of_a_long_log_is_cut(log: AttemptLog) -> None:
    for number in range(20):
        logger.warning("%d", number)
    assert messages(log) == ["0", "1", "2", "… 14 lines cut …", "17", "18", "19"]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_small_limit_holds(limit: int) -> None:
    capture_logs()
    log = AttemptLog(limit)
    current_log.set(log)
    for number in range(5):
        logger.warning("%d", number)
    assert len([text for text in messages(log) if "cut" not in text]) == limit


def test_a_line_that_cannot_be_formatted_fails_nobody(log: AttemptLog, capsys: pytest.CaptureFixture[str]) -> None:
    handler = AttemptLogHandler()
    for message, value in (("%d", "three"), ("%(x)s", 1), ("%s", "fine")):
        handler.handle(logging.LogRecord("a.stranger", logging.WARNING, "x.py", 1, message, (value,), None))
    assert messages(log) == ["fine"]
    assert "Logging error" in capsys.readouterr().err


def test_lines_hold_nothing_that_a_database_refuses(log: AttemptLog) -> None:
    logger.warning("a\x00b\ud800" + "x" * 10_000)
    (message,) = messages(log)
    assert "\x00" not in message
    assert len(message.encode()) < 4100


async def test_each_run_keeps_its_own_lines_also_from_threads() -> None:
    capture_logs()

    async def work(name: str) -> AttemptLog:
        log = AttemptLog(10)
        current_log.set(log)
        logger.warning("%s begins", name)
        await asyncio.to_thread(logger.warning, "%s in a thread", name)
        return log

    one, other = await asyncio.gather(asyncio.create_task(work("one")), asyncio.create_task(work("other")))
    assert messages(one) == ["one begins", "one in a thread"]
    assert messages(other) == ["other begins", "other in a thread"]


def test_a_line_outside_of_runs_is_nobodys() -> None:
    capture_logs()
    log = AttemptLog(10)
    token = current_log.set(log)
    current_log.reset(token)
    logger.warning("nobody")
    assert log.lines() == []


def test_lines_hold_no_secret(log: AttemptLog) -> None:
    logger.warning("asked with Bearer %s", "abcdefgh12345678")
    try:
        raise ValueError("postgres://me:hunter2@db/x is away")
    except ValueError:
        logger.exception("it failed")
    asked, failed = messages(log)
    assert asked == "asked with Bearer •••"
    assert "hunter2" not in failed
    assert "•••@db/x is away" in failed
