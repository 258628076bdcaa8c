"""The ledger's tables: runs, their attempts, the processes that execute them, and what operators adjusted."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now
from backend.db.ids import new_id


class State(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"  # in the ledger, not handed over yet
    QUEUED = "queued"  # handed over to the engine, not started yet
    SCHEDULED = "scheduled"  # in the ledger until its time has come
    RUNNING = "running"  # a worker is at it
    SUCCEEDED = "succeeded"  # done
    CANCELLED = "cancelled"  # ended by a person or a program
    DEAD = "dead"  # attempts spent, a permanent error, an unknown task, or a poison pill
    INTERRUPTED = "interrupted"  # lost with its process where nothing redelivers


ACTIVE = (State.WAITING, State.QUEUED, State.SCHEDULED, State.RUNNING)
IN_HAND = (State.QUEUED, State.RUNNING)
TERMINAL = (State.SUCCEEDED, State.CANCELLED, State.DEAD, State.INTERRUPTED)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # an error; the run may try again
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"  # handed back on purpose; does not count
    PARKED = "parked"  # waits for a sign-in; does not count
    INTERRUPTED = "interrupted"  # stopped with its process; does not count
    LOST = "lost"  # the worker died under it


ACTIVE_SQL = "state IN ('waiting', 'queued', 'scheduled', 'running')"


class Run(Base):
    """One piece of work, from the moment it was asked for to its end."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    task: Mapped[str] = mapped_column(String(200))
    queue: Mapped[str] = mapped_column(String(50))
    priority: Mapped[int] = mapped_column(default=0)
    key: Mapped[str | None] = mapped_column(String(500))  # what the run is about, for people
    slot: Mapped[str | None] = mapped_column(String(500))  # the key while it keeps others out
    state: Mapped[str] = mapped_column(String(20), default=State.WAITING)
    args: Mapped[dict[str, Any]]
    due_at: Mapped[datetime | None]  # not before this
    parked_on: Mapped[str | None] = mapped_column(String(500))  # waits until this subject is released
    attempt: Mapped[int] = mapped_column(default=0)  # attempts that count against the retry policy
    starts: Mapped[int] = mapped_column(default=0)  # every start; fences what an outdated worker reports
    handover: Mapped[int] = mapped_column(default=0)  # every hand-over; fences outdated messages
    crashes: Mapped[int] = mapped_column(default=0)  # workers that died under it
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    worker: Mapped[str | None] = mapped_column(String(200))
    progress: Mapped[dict[str, Any] | None]
    result: Mapped[Any | None] = mapped_column(Base.type_annotation_map[dict[str, Any]])
    error_type: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(Text)
    error_group: Mapped[str | None] = mapped_column(String(16))  # equal for errors that read alike
    requested_by: Mapped[str | None] = mapped_column(String(500))
    cause: Mapped[str | None] = mapped_column(String(36))  # the run after which this one followed
    trace: Mapped[str | None] = mapped_column(String(100))  # W3C traceparent
    revision: Mapped[int] = mapped_column(default=1)  # goes up with every change of state
    created_at: Mapped[datetime] = mapped_column(default=now)
    handed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("ix_runs_feed", "queue", text("priority DESC"), "id",
              postgresql_where=text("state = 'waiting'"), sqlite_where=text("state = 'waiting'")),
        Index("ix_runs_due", "due_at",
              postgresql_where=text("state = 'scheduled'"), sqlite_where=text("state = 'scheduled'")),
        Index("ix_runs_in_hand", "queue", "task", "state",
              postgresql_where=text("state IN ('queued', 'running')"),
              sqlite_where=text("state IN ('queued', 'running')")),
        Index("uq_runs_active_slot", "task", "slot", unique=True,
              postgresql_where=text(f"slot IS NOT NULL AND {ACTIVE_SQL}"),
              sqlite_where=text(f"slot IS NOT NULL AND {ACTIVE_SQL}")),
        Index("ix_runs_state_id", "state", "id"),
        Index("ix_runs_task_id", "task", "id"),
        Index("ix_runs_queue_id", "queue", "id"),
        Index("ix_runs_key_id", "key", "id"),
        Index("ix_runs_error_group", "error_group",
              postgresql_where=text("state = 'dead'"), sqlite_where=text("state = 'dead'")),
        Index("ix_runs_finished_at", "finished_at"),
        Index("ix_runs_parked_on", "parked_on",
              postgresql_where=text("parked_on IS NOT NULL"), sqlite_where=text("parked_on IS NOT NULL")),
    )  # fmt: skip


class Attempt(Base):
    """One start of a run, kept for ever with its error and its log."""

    __tablename__ = "attempts"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # the run's `starts`
    worker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    error_type: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    logs: Mapped[list[Any] | None]  # [{at, level, logger, message}]
    args: Mapped[dict[str, Any] | None]  # what it ran with, kept when the arguments were edited afterwards

    __table_args__ = (Index("ix_attempts_started_at", "started_at"),)


class Process(Base):
    """A process that declares tasks: a worker, or an API that hands over to workers."""

    __tablename__ = "processes"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # worker | api
    engine: Mapped[str] = mapped_column(String(20))  # docket | inline
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(50))
    capacity: Mapped[int]  # runs it executes at a time; 0 for an API or a quiet worker
    tasks: Mapped[list[Any]]  # names of the tasks its code declares
    running: Mapped[int] = mapped_column(default=0)
    loop_lag_ms: Mapped[float] = mapped_column(default=0.0)
    memory_mb: Mapped[float] = mapped_column(default=0.0)
    restarts: Mapped[int] = mapped_column(default=0)  # times the worker loop had to be started again
    last_error: Mapped[str | None] = mapped_column(Text)
    canary_at: Mapped[datetime | None]  # when the last canary run of this process was executed
    started_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class Control(Base):
    """What operators adjusted on a queue or a task. Survives a deploy."""

    __tablename__ = "controls"

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)  # queue | task
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    paused: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Schedule(Base):
    """A declared schedule: when it is due next, and what operators changed."""

    __tablename__ = "schedules"

    task: Mapped[str] = mapped_column(String(200), primary_key=True)
    declared: Mapped[str] = mapped_column(String(100))  # the code's cron expression, or `every N s`
    override: Mapped[str | None] = mapped_column(String(100))  # the operator's, in the same form
    paused: Mapped[bool] = mapped_column(default=False)
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_run_id: Mapped[str | None] = mapped_column(String(36))
    updated_at: Mapped[datetime] = mapped_column(default=now)
