"""The measurements: drain, start, lateness. Each sees a system's process from outside."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.process import Subject
from benchmarks.producer import open_producer, recorded
from benchmarks.servers import Servers
from benchmarks.systems import System

WARM_UP = 20
SPACING_S = 0.01
AHEAD_S = 2.0
SETTLE_S = 1.0
DRAIN_PATIENCE_S = 180.0
RECORD_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Drain:
    """One backlog worked off."""

    system: str
    runs: int
    seconds: float  # from the first start to the last
    per_second: float
    cpu_ms: float  # of the system's process, for each run
    doubled: int  # runs that started twice
    recorded: int | None  # runs the ledger has as succeeded


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of these."""
        ordered = sorted(values)
        return cls(*(round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 2) for share in (0.5, 0.99, 1)))


@dataclass(frozen=True)
class Latency:
    """How soon single runs start while the system is idle."""

    system: str
    start: Spread  # from the call of enqueue to the task's first line
    late: Spread  # after the time a run was scheduled for
    early: int  # runs that started before it


async def drain(servers: Servers, system: System, runs: int) -> Drain:
    """Enqueue `runs` runs while nobody works, start the system, and see how fast they start."""
    with servers.site(system) as site:
        async with open_producer(site, hand_over=False) as producer:
            await producer.preload(range(runs))
        with Subject(site) as subject:
            await subject.until(1, DRAIN_PATIENCE_S)
            cpu = subject.cpu_s()
            await subject.until(runs, DRAIN_PATIENCE_S)
            cpu = subject.cpu_s() - cpu
        starts = subject.log.starts()
        seconds = (max(starts.values()) - min(starts.values())) / 1e9
        succeeded = (await recorded(site)).get("succeeded", 0) if system.has_ledger else None
        return Drain(
            system.name,
            len(starts),
            round(seconds, 3),
            round(len(starts) / seconds, 1),
            round(cpu / runs * 1000, 3),
            subject.log.doubled(),
            succeeded,
        )


async def latency(servers: Servers, system: System, samples: int, scheduled: int) -> Latency:
    """Enqueue single runs for now, then for a little later, into an idle system."""
    with servers.site(system) as site, Subject(site) as subject:
        async with open_producer(site, hand_over=True) as producer:
            for number in range(WARM_UP):
                await producer.enqueue(-1 - number)
            await subject.until(WARM_UP, DRAIN_PATIENCE_S)
            await asyncio.sleep(SETTLE_S)
            asked: dict[int, int] = {}
            for number in range(samples):
                tick = time.monotonic() + SPACING_S
                asked[number] = time.monotonic_ns()
                await producer.enqueue(number)
                await asyncio.sleep(max(tick - time.monotonic(), 0))
            await subject.until(WARM_UP + samples, DRAIN_PATIENCE_S)
            await asyncio.sleep(SETTLE_S)
            due: dict[int, int] = {}
            for number in range(samples, samples + scheduled):
                tick = time.monotonic() + SPACING_S
                due[number] = time.monotonic_ns() + int(AHEAD_S * 1e9)
                await producer.schedule(number, datetime.now(UTC) + timedelta(seconds=AHEAD_S))
                await asyncio.sleep(max(tick - time.monotonic(), 0))
            await subject.until(WARM_UP + samples + scheduled, DRAIN_PATIENCE_S)
        starts = subject.log.starts()
        waits = [(starts[number] - moment) / 1e6 for number, moment in asked.items()]
        late = [(starts[number] - moment) / 1e6 for number, moment in due.items()]
        return Latency(system.name, Spread.of(waits), Spread.of(late), sum(1 for value in late if value < 0))
