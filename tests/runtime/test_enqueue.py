"""Enqueue: with the caller's data or not at all, and a clear no to what cannot run."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import func, select

from backend.db.base import now
from backend.db.models.media import Track
from backend.db.models.runs import Run
from backend.db.session import database, open_database, unit_of_work
from backend.errors import InvalidArguments, UnknownTask
from backend.runtime import current_run, enqueue, enqueue_many, scheduler, task
from backend.runtime.context import requester
from backend.runtime.runs import count_runs, get_run
from backend.settings import get_settings
from tests.runtime.crew import Crew, all_ended, each_database, each_engine, ended, on_inline


async def count_tracks() -> int:
    async with database().reading() as session:
        return (await session.execute(select(func.count()).select_from(Track))).scalar_one()


async def count_all() -> int:
    return sum((await count_runs()).values())


async def test_a_run_commits_with_the_callers_data_and_not_before(crew: Crew) -> None:
    @task(queue="media")
    async def measure(title: str) -> int:
        return await count_tracks()

    async with crew():
        async with unit_of_work() as unit:
            unit.session.add(Track(title="Für Elise"))
            receipt = await enqueue(measure, "Für Elise")
        run = await ended(receipt.id)
    assert run.result == 1


@each_engine
async def test_a_run_is_rolled_back_with_the_callers_data(crew: Crew) -> None:
    begun = []

    @task(queue="media")
    async def measure(title: str) -> None:
        begun.append(title)

    async def upload_and_fail() -> None:
        async with unit_of_work() as unit:
            unit.session.add(Track(title="lost"))
            await enqueue(measure, "lost")
            raise ZeroDivisionError

    async with crew():
        with pytest.raises(ZeroDivisionError):
            await upload_and_fail()
        assert (await count_tracks(), await count_all()) == (0, 0)
        await ended((await enqueue(measure, "kept")).id)
    assert begun == ["kept"]


@each_engine
async def test_runs_enqueued_by_a_run_know_their_cause_and_who_asked(crew: Crew) -> None:
    @task(queue="media")
    async def child() -> None: ...

    @task(queue="media")
    async def parent() -> str:
        assert current_run().task == "parent"
        return (await enqueue(child)).id

    async with crew():
        token = requester.set("did:plc:artist")
        receipt = await enqueue(parent)
        requester.reset(token)
        run = await ended(receipt.id)
        follower = await ended(run.result)
        anonymous = await get_run((await enqueue(child)).id)
    assert (run.requested_by, run.cause) == ("did:plc:artist", None)
    assert follower.cause == run.id
    assert (anonymous.requested_by, anonymous.cause) == (None, None)


@each_engine
async def test_a_run_for_later_starts_then_and_not_before(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    schedule = scheduler(measure)
    async with crew():
        soon = now() + timedelta(seconds=1.2)
        by_delay = await schedule.using(after=0.5)()
        by_time = await schedule.using(at=soon)()
        past = await schedule.using(at=now() - timedelta(days=1))()
        assert (by_delay.state, by_time.state) == ("scheduled", "scheduled")
        assert past.state in ("waiting", "queued")
        one, other = await ended(by_delay.id), await ended(by_time.id)
    assert one.started_at is not None
    assert other.started_at is not None
    assert timedelta(seconds=0.5) <= one.started_at - one.created_at < timedelta(seconds=5)
    assert soon <= other.started_at < soon + timedelta(seconds=5)


@on_inline
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("at", datetime(2030, 1, 1)),
        ("after", -1),
        ("after", float("nan")),
        ("after", 400 * 86400),
        ("debounce", -1),
        ("priority", 10**12),
        ("key", "k" * 501),
        ("key", ""),
        ("key", "a\x00b"),
        ("key", "half \ud800"),
        ("requested_by", "r" * 501),
    ],
)
async def test_options_that_cannot_be_are_named(crew: Crew, option: str, value: Any) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with crew():
        with pytest.raises(InvalidArguments) as caught:
            await scheduler(measure).using(**{option: value})()
        assert caught.value.field == option
        assert await count_all() == 0


BAD_CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    (("v", 1, 2), {}),
    (("v",), {"loud": 1}),
    (("v", "many"), {}),
    (("v", float("nan")), {}),
    (("v\x00",), {}),
    (("v\ud800",), {}),
    (("v" * 300_000,), {}),
    ((object(),), {}),
]


@each_database
async def test_arguments_that_cannot_run_are_refused_at_the_call(crew: Crew) -> None:
    @task(queue="media")
    async def measure(version_id: str, gain: float = 1.0) -> None: ...

    async with crew():
        for args, kwargs in BAD_CALLS:
            with pytest.raises(InvalidArguments) as caught:
                await enqueue(measure, *args, **kwargs)
            assert caught.value.field
        assert await count_all() == 0


@on_inline
async def test_what_is_not_declared_is_not_enqueued(crew: Crew) -> None:
    async def stray() -> None: ...

    async with crew():
        for unknown in ("nobody", stray):
            with pytest.raises(UnknownTask):
                await enqueue(unknown)
        assert await count_all() == 0


@on_inline
async def test_parameters_may_be_called_like_ours(crew: Crew) -> None:
    @task(queue="media")
    async def odd(task: str, options: int, unit: str, key: str) -> list[object]:
        return [task, options, unit, key]

    async with crew():
        receipt = await scheduler(odd).using(key="k")("a", options=1, unit="b", key="c")
        run = await ended(receipt.id)
    assert run.result == ["a", 1, "b", "c"]
    assert run.key == "k"


@each_engine
async def test_many_at_once(crew: Crew) -> None:
    @task(queue="media")
    async def square(number: int) -> int:
        return number * number

    async with crew():
        ids = await enqueue_many(square, [{"number": number} for number in range(120)])
        assert await all_ended(ids) == {"succeeded": 120}
        with pytest.raises(InvalidArguments):
            await enqueue_many(square, [{"number": 1}, {"number": "many"}])
        assert await count_all() == 120


@each_database
async def test_hard_text_comes_back_as_it_was(crew: Crew) -> None:
    words = ["", "😀", "\\u0000", "\x1b[0m", "a\u2028b", "'; DROP TABLE runs; --", "%s {x} :name", "\x7f"]

    @task(queue="media")
    async def echo(words: list[str], at: datetime) -> dict[str, object]:
        return {"words": words, "at": at.isoformat()}

    async with crew():
        receipt = await enqueue(echo, words, datetime(2026, 1, 2, tzinfo=UTC))
        run = await ended(receipt.id)
    assert run.result == {"words": words, "at": "2026-01-02T00:00:00+00:00"}


@each_database
async def test_without_a_runner_a_run_waits_in_the_ledger(crew: Crew) -> None:
    @task(queue="media")
    async def measure() -> None: ...

    async with open_database(get_settings().database):
        receipt = await enqueue(measure)
        assert receipt.state == "waiting"
        async with database().reading() as session:
            row = await session.get(Run, receipt.id)
        assert row is not None
        assert (row.state, row.handover) == ("waiting", 0)
    async with crew():
        assert (await ended(receipt.id)).state == "succeeded"


@each_engine
async def test_a_call_that_is_traced_has_the_name_that_saved_queries_look_for(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(sys.modules["backend.runtime.enqueue"], "tracer", provider.get_tracer("test"))

    @task(queue="media")
    async def listen(secret: str) -> None: ...

    async with crew():
        receipt = await scheduler(listen, traced="copyright scan")("hunter2")
        run = await ended(receipt.id)
        await scheduler(listen)("hunter2")
    [span] = exporter.get_finished_spans()
    no_docket = "docket scheduling failed, falling back to asyncio"
    assert span.name == ("scheduled copyright scan via docket" if get_settings().docket.url else no_docket)
    assert span.attributes == {"backline.task": "listen", "backline.run": run.id, "backline.created": True}
    assert span.context
    # The run goes on with this trace.
    assert (run.trace or "").split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]
