"""Work that raises, returns or says what nobody expects: one run ends as it must, and all others go on."""

import asyncio
import logging
import threading
from contextlib import suppress

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from backend.runtime import Retry, current_run, enqueue, execute, task
from tests.runtime.crew import Crew, each_database, each_engine, ended

ONCE = Retry(attempts=1)


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Unpicklable(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.lock = threading.Lock()

    def __reduce__(self) -> str:
        raise TypeError("cannot pickle me")


@each_engine
async def test_errors_that_cannot_be_read_or_pickled(crew: Crew) -> None:
    @task(queue="media", retry=ONCE)
    async def speechless() -> None:
        raise Speechless

    @task(queue="media", retry=ONCE)
    async def unpicklable() -> None:
        raise Unpicklable(code=7)

    @task(queue="media", retry=ONCE)
    async def group() -> None:
        raise ExceptionGroup("several", [Speechless(), Unpicklable(code=8)])

    @task(queue="media")
    async def healthy() -> str:
        return "fine"

    async with crew() as runner:
        runs = [await ended((await enqueue(bad)).id) for bad in (speechless, unpicklable, group)]
        assert (await ended((await enqueue(healthy)).id)).result == "fine"
        assert runner.engine_loop.restarts == 0
    assert [run.state for run in runs] == ["dead"] * 3
    assert "Speechless" in (runs[0].error_type or "")
    assert runs[1].error == "code 7"
    assert all(run.attempts[0].traceback for run in runs)


@each_engine
async def test_a_failed_task_group_is_a_failure_and_no_stop(crew: Crew) -> None:
    starts = 0

    async def fail() -> None:
        raise ValueError("a part failed")

    async def in_parts() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    @task(queue="media", retry=Retry(attempts=2, base=0.0))
    async def grouped() -> None:
        nonlocal starts
        starts += 1
        await in_parts()

    @task(queue="media", retry=ONCE, timeout=0.3)
    async def endless() -> None:
        with suppress(ExceptionGroup):
            await in_parts()
        await asyncio.sleep(60)

    async with crew():
        run = await ended((await enqueue(grouped)).id)
        slow = await ended((await enqueue(endless)).id)
    assert (run.state, run.attempt, run.error_type, starts) == ("dead", 2, "ExceptionGroup", 2)
    assert (slow.state, slow.error_type) == ("dead", "TimedOut")


@each_engine
async def test_results_that_are_not_json_are_a_permanent_error(crew: Crew) -> None:
    ring: list[object] = []
    ring.append(ring)
    bad = [object(), {1, 2}, float("nan"), "a\x00b", "half \ud800", ring, "x" * 300_000, {(1, 2): 3}, 10**5000]

    @task(queue="media")
    async def produce(number: int) -> object:
        return bad[number]

    async with crew():
        runs = [await ended((await enqueue(produce, number)).id) for number in range(len(bad))]
    for run in runs:
        assert (run.state, run.attempt, run.error_type) == ("dead", 1, "InvalidArguments"), run.args
        assert "result cannot be stored" in (run.error or "")


@each_database
async def test_results_that_are_json_come_back(crew: Crew) -> None:
    good = [None, 0, "", False, [], {}, {"a": [1, None, {"b": 1.5}]}, (1, 2), {1: "one"}, "\\u0000 😀", 2**80]

    @task(queue="media")
    async def produce(number: int) -> object:
        return good[number]

    async with crew():
        runs = [await ended((await enqueue(produce, number)).id) for number in range(len(good))]
    expected = [*good[:7], [1, 2], {"1": "one"}, *good[9:]]
    assert [run.result for run in runs] == expected
    assert {run.state for run in runs} == {"succeeded"}


@each_database
async def test_what_a_run_says_is_stored_whatever_it_is(crew: Crew) -> None:
    @task(queue="media", retry=ONCE)
    async def noisy() -> None:
        await current_run().progress(float("nan"), float("inf"), "a\x00\ud800", counts={"\x00": 1})
        logging.getLogger("l\x00\ud800").warning("m\x00\ud800 %s", "x" * 50_000)
        raise type("E" * 400, (Exception,), {})("e\x00\ud800" + "y" * 50_000)

    @task(queue="media")
    async def healthy() -> None: ...

    async with crew():
        run = await ended((await enqueue(noisy)).id)
        assert (await ended((await enqueue(healthy)).id)).state == "succeeded"
    assert run.state == "dead"
    assert run.progress is not None
    assert run.attempts[0].logs


@each_engine
async def test_work_that_swallows_its_time_out_has_succeeded(crew: Crew) -> None:
    @task(queue="media", timeout=0.05, retry=ONCE)
    async def stubborn() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "swallowed"
        return "never"

    async with crew():
        run = await ended((await enqueue(stubborn)).id)
    assert (run.state, run.result) == ("succeeded", "swallowed")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(execute, "tracer", provider.get_tracer("test"))
    return exporter


@each_engine
async def test_traces_survive_what_errors_do(crew: Crew, spans: InMemorySpanExporter) -> None:
    @task(queue="media", retry=ONCE)
    async def speechless() -> None:
        raise Speechless

    async with crew():
        run = await ended((await enqueue(speechless)).id)
    assert run.state == "dead"
    (span,) = [span for span in spans.get_finished_spans() if span.name == "speechless"]
    assert span.attributes is not None
    assert (span.attributes["backline.run"], span.attributes["backline.attempt"]) == (run.id, 1)
    assert [event.name for event in span.events] == ["exception"]
    assert not span.status.is_ok
