"""What must hold of the whole ledger once everything has ended, whatever happened on the way."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import select

from backend.db.models.runs import TERMINAL, Attempt, Outcome, Run, State
from backend.db.session import Database

COUNTED = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELLED)


@dataclass(frozen=True)
class Record:
    """A run with its attempts, in order."""

    run: Run
    attempts: Sequence[Attempt]

    @property
    def outcomes(self) -> Counter[str | None]:
        """How often its attempts ended in which way."""
        return Counter(attempt.outcome for attempt in self.attempts)


async def read_ledger(database: Database) -> list[Record]:
    """Every run, oldest first."""
    async with database.reading() as session:
        runs = (await session.scalars(select(Run).order_by(Run.id))).all()
        attempts = (await session.scalars(select(Attempt).order_by(Attempt.run_id, Attempt.number))).all()
    of_run: dict[str, list[Attempt]] = {run.id: [] for run in runs}
    for attempt in attempts:
        of_run[attempt.run_id].append(attempt)
    return [Record(run, of_run[run.id]) for run in runs]


def breaches(records: Sequence[Record], expected: Collection[str]) -> list[str]:
    """What is wrong, as sentences: runs lost, ended twice, or not ended, and attempts that contradict their run."""
    there = {record.run.id for record in records}
    lost = [f"run {run_id} is lost" for run_id in expected if run_id not in there]
    return lost + [
        f"run {record.run.id} ({record.run.task}, {record.run.state}): {problem}"
        for record in records
        for problem in [*_unfinished(record), *_miscounted(record), *_contradicted(record)]
    ]


def _unfinished(record: Record) -> Iterator[str]:
    if record.run.state not in TERMINAL:
        yield "has not ended"
    if record.run.finished_at is None:
        yield "has no end"
    for attempt in record.attempts:
        if attempt.outcome is None or attempt.ended_at is None:
            yield f"attempt {attempt.number} has no outcome"


def _miscounted(record: Record) -> Iterator[str]:
    run, outcomes = record.run, record.outcomes
    numbers = [attempt.number for attempt in record.attempts]
    if numbers != list(range(1, run.starts + 1)):
        yield f"{run.starts} starts, but attempts {numbers}"
    if run.crashes != outcomes[Outcome.LOST]:
        yield f"{run.crashes} crashes, but {outcomes[Outcome.LOST]} lost attempts"
    counted = sum(outcomes[outcome] for outcome in COUNTED)
    if run.attempt != counted:
        yield f"attempt {run.attempt}, but {counted} attempts that count"


def _contradicted(record: Record) -> Iterator[str]:
    run, outcomes = record.run, record.outcomes
    last = record.attempts[-1].outcome if record.attempts else None
    ends = outcomes[Outcome.SUCCEEDED] + outcomes[Outcome.CANCELLED]
    match run.state:
        case State.SUCCEEDED:
            right = last == Outcome.SUCCEEDED and ends == 1 and run.error_type is None
        case State.CANCELLED:
            right = outcomes[Outcome.SUCCEEDED] == 0 and ends <= 1
        case State.INTERRUPTED:
            right = last == Outcome.LOST and ends == 0
        case State.DEAD if run.error_type == "WorkerLost":
            right = last == Outcome.LOST and ends == 0
        case State.DEAD if run.error_type == "UnknownTask":
            right = set(outcomes) <= {Outcome.SNOOZED}
        case State.DEAD if not record.attempts:
            right = run.error_type == "InvalidArguments"  # a message that nobody can read
        case State.DEAD:
            right = last in (Outcome.FAILED, Outcome.TIMED_OUT) and ends == 0 and bool(run.error_type)
        case _:
            right = True  # said already: it has not ended
    if not right:
        yield f"its end ({run.error_type}) contradicts its attempts {[attempt.outcome for attempt in record.attempts]}"


async def leftovers(url: str, docket_name: str) -> list[str]:
    """What Redis still holds of runs: messages, deliveries that nobody acknowledged, and entries of runs."""
    stream, group = f"{docket_name}:stream", "docket-workers"
    async with Redis.from_url(url, protocol=2) as redis:
        messages = await redis.xrange(stream)
        pending = (await redis.xpending(stream, group))["pending"] if await redis.exists(stream) else 0
        keys = [key.decode() async for key in redis.scan_iter(f"{docket_name}:runs:*")]
        later = await redis.zcard(f"{docket_name}:queue")
    found = [f"message {fields.get(b'key')!r}" for _, fields in messages] + [f"entry {key}" for key in keys]
    return found + ([f"{pending} pending"] if pending else []) + ([f"{later} for later"] if later else [])
