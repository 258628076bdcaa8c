"""The processes that share the ledger: each says that it lives, what it can do, and reads the same of the others."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

import psutil
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.models.runs import Process
from backend.db.session import Database, Unit
from backend.errors import Unavailable
from backend.runtime.registry import registry
from backend.runtime.view import ClusterView
from backend.settings import Settings

logger = logging.getLogger(__name__)

SILENT_BEATS = 5
SILENT_AT_LEAST_S = 10.0
FORGET_AFTER = timedelta(hours=1)


@dataclass
class ProcessCard:
    """What this process says of itself."""

    kind: str  # worker | api
    engine: str  # docket | memory | inline; only the first is shared with other processes
    capacity: int
    name: str = field(default_factory=lambda: f"{socket.gethostname()}#{os.getpid()}#{uuid4().hex[:6]}")
    started_at: datetime = field(default_factory=now)
    running: int = 0
    loop_lag_ms: float = 0.0
    restarts: int = 0
    last_error: str | None = None
    canary_at: datetime | None = None

    def row(self) -> dict[str, Any]:
        """Its row of the table `processes`, as of now."""
        return {
            "name": self.name,
            "kind": self.kind,
            "engine": self.engine,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": _version(),
            "capacity": self.capacity,
            "tasks": sorted(registry),
            "running": self.running,
            "loop_lag_ms": round(self.loop_lag_ms, 1),
            "memory_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
            "restarts": self.restarts,
            "last_error": self.last_error,
            "canary_at": self.canary_at,
            "started_at": self.started_at,
            "seen_at": now(),
        }


def worker_config(card: ProcessCard, settings: Settings) -> dict[str, Any]:
    """What a process says at its start: who it is, and the settings that decide how it works. Nothing secret."""
    runner = settings.runner.model_dump(exclude={"harmony_disable_workers"})
    return {
        "process": card.name,
        "kind": card.kind,
        "engine": card.engine,
        "version": _version(),
        "concurrency": card.capacity,
        "tasks": len(registry),
        "schedules": sum(spec.schedule is not None for spec in registry.values()),
        **{name.removeprefix("runner_"): value for name, value in runner.items()},
        **settings.dead_letters.model_dump(),
    }


def _version() -> str:
    try:
        return version("backline")
    except PackageNotFoundError:
        return "checkout"


def silent_before(beat_s: float) -> datetime:
    """A process that was last seen before this moment is taken for dead."""
    return now() - timedelta(seconds=max(SILENT_BEATS * beat_s, SILENT_AT_LEAST_S))


_STOPPED = text("""
    SELECT id FROM runs WHERE state = 'running' AND cancel_requested AND worker = :worker""")
_LIVE = select(Process.name, Process.capacity, Process.tasks, Process.engine, Process.canary_at)


class Heartbeat:
    """Tells the ledger that this process lives, and learns who else does."""

    def __init__(self, database: Database, card: ProcessCard, view: ClusterView, beat_s: float) -> None:
        self.live: set[str] = {card.name}
        self._database = database
        self._card = card
        self._view = view
        self._beat_s = beat_s

    async def run(self, on_cancelled: Callable[[str], object], on_beat: Callable[[], None]) -> None:
        """Beat until cancelled. `on_cancelled` gets the runs here that were cancelled while the engine did not tell."""
        while True:
            on_beat()
            try:
                for run_id in await self.beat():
                    on_cancelled(run_id)
            except (SQLAlchemyError, OSError, Unavailable) as error:
                logger.error("cannot tell the ledger that this process lives: %s", type(error).__name__)
            await asyncio.sleep(self._beat_s)

    async def beat(self) -> list[str]:
        """One sign of life. Returns runs of this process that somebody cancelled."""
        async with self._database.unit() as unit:
            await _upsert(unit, self._card.row())
            await unit.connection.execute(delete(Process).where(Process.seen_at < now() - FORGET_AFTER))
            live = _LIVE.where(Process.seen_at >= silent_before(self._beat_s))
            rows = (await unit.connection.execute(live)).fetchall()
            cancelled = (await unit.connection.execute(_STOPPED, {"worker": self._card.name})).scalars().all()
        self._learn(rows)
        return list(cancelled)

    def _learn(self, rows: Any) -> None:
        own = self._card.name
        shared = [row for row in rows if row.name == own or row.engine == self._card.engine == "docket"]
        self.live = {row.name for row in rows}
        returned = next((row.canary_at for row in rows if row.name == own), None)
        if returned is not None and (self._card.canary_at is None or returned > self._card.canary_at):
            self._card.canary_at = returned
        self._view.capacity = sum(row.capacity for row in shared)
        self._view.known_tasks = set().union(*(row.tasks for row in shared if row.capacity))

    async def pass_on_canary(self, sender: str) -> None:
        """A canary of another process was executed here: let its sender know."""
        async with self._database.unit() as unit:
            await unit.connection.execute(update(Process).where(Process.name == sender).values(canary_at=now()))

    async def leave(self) -> None:
        """This process stops: take its row out."""
        async with self._database.unit() as unit:
            await unit.connection.execute(delete(Process).where(Process.name == self._card.name))


async def _upsert(unit: Unit, row: dict[str, Any]) -> None:
    make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(Process)
    await unit.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            # Others write the canary's return, see `pass_on_canary`.
            set_={name: statement.excluded[name] for name in row if name not in ("name", "canary_at")},
        ),
        row,
    )
