"""The statements that write many starts, ends and progress reports at once. Each is fenced: outdated ones do nothing."""

from functools import cache

from sqlalchemy import TextClause, text

from backend.db.batch import Batch, Kind

T, N, M, J = Kind.TEXT, Kind.INT, Kind.MOMENT, Kind.JSON

STARTED = {"run_id": T, "handover": N, "number": N, "attempt": N, "worker": T, "at": M}
ENDED = {
    "run_id": T, "handover": N, "number": N, "at": M, "state": T, "outcome": T, "attempt": N, "due_at": M,
    "parked_on": T, "result": J, "progress": J, "error_type": T, "error": T, "error_group": T, "traceback": T, "logs": J,
}  # fmt: skip
ATTEMPT = {"run_id": T, "number": N, "worker": T, "started_at": M}
PASSED = {**ENDED, "worker": T, "started_at": M}
PROGRESSED = {"run_id": T, "number": N, "progress": J}


# A start that was written already is accepted again: after a lost connection nobody knows whether the commit arrived.
_STARTABLE = """runs.id = r.run_id AND runs.handover = r.handover AND (
            (runs.state = 'queued' AND runs.starts = r.number - 1)
            OR (runs.state = 'running' AND runs.starts = r.number AND runs.worker = r.worker))"""
_AGAIN = "r.state IN ('waiting', 'scheduled')"


def _outcome(batch: Batch) -> str:
    # A run that was to be cancelled is not tried again, whatever its attempt came to.
    return f"""
            state = CASE WHEN runs.cancel_requested AND {_AGAIN} THEN 'cancelled' ELSE r.state END,
            attempt = r.attempt, due_at = r.due_at, parked_on = r.parked_on,
            result = {batch.cell("result")}, progress = COALESCE({batch.cell("progress")}, runs.progress),
            error_type = r.error_type, error = r.error, error_group = r.error_group,
            finished_at = CASE WHEN NOT ({_AGAIN}) OR runs.cancel_requested THEN r.at END, updated_at = r.at"""


@cache
def started(dialect: str) -> tuple[Batch, TextClause]:
    """Queued runs become running, unless the hand-over is outdated. Returns id and revision of those that did."""
    batch = Batch(dialect, STARTED)
    return batch, text(f"""
        UPDATE runs SET state = 'running', starts = r.number, attempt = r.attempt, worker = r.worker,
            started_at = r.at, updated_at = r.at, revision = revision + 1
        FROM {batch.source} WHERE {_STARTABLE}
        RETURNING runs.id, runs.handover, runs.starts, runs.state, runs.revision""")


@cache
def ended(dialect: str) -> tuple[Batch, TextClause]:
    """Running runs get their next state, unless the hand-over is outdated or somebody else started them since.

    Returns id, starts, state and revision.
    """
    batch = Batch(dialect, ENDED)
    return batch, text(f"""
        UPDATE runs SET {_outcome(batch)}, revision = revision + 1
        FROM {batch.source}
        WHERE runs.id = r.run_id AND runs.handover = r.handover AND runs.starts = r.number AND runs.state = 'running'
        RETURNING runs.id, runs.handover, runs.starts, runs.state, runs.revision""")


@cache
def passed(dialect: str) -> tuple[Batch, TextClause]:
    """`started` and `ended` at once. Returns id, starts, state and revision."""
    batch = Batch(dialect, PASSED)
    return batch, text(f"""
        UPDATE runs SET starts = r.number, worker = r.worker, started_at = r.started_at, {_outcome(batch)},
            revision = revision + 2
        FROM {batch.source} WHERE {_STARTABLE}
        RETURNING runs.id, runs.handover, runs.starts, runs.state, runs.revision""")


@cache
def attempts_begun(dialect: str) -> tuple[Batch, TextClause]:
    """Attempts that began. One that is there already stays as it is."""
    batch = Batch(dialect, ATTEMPT)
    return batch, text(f"""
        INSERT INTO attempts (run_id, number, worker, started_at)
        SELECT r.run_id, r.number, r.worker, r.started_at FROM {batch.source} WHERE true
        ON CONFLICT (run_id, number) DO NOTHING""")


@cache
def attempts_ended(dialect: str) -> tuple[Batch, TextClause]:
    """Attempts get their outcome, their error and their log."""
    batch = Batch(dialect, ENDED)
    return batch, text(f"""
        UPDATE attempts SET ended_at = r.at, outcome = r.outcome, error_type = r.error_type, error = r.error,
            traceback = r.traceback, logs = {batch.cell("logs")}
        FROM {batch.source} WHERE attempts.run_id = r.run_id AND attempts.number = r.number""")


@cache
def attempts_passed(dialect: str) -> tuple[Batch, TextClause]:
    """`attempts_begun` and `attempts_ended` at once."""
    batch = Batch(dialect, PASSED)
    return batch, text(f"""
        INSERT INTO attempts (run_id, number, worker, started_at, ended_at, outcome, error_type, error, traceback, logs)
        SELECT r.run_id, r.number, r.worker, r.started_at, r.at, r.outcome, r.error_type, r.error, r.traceback,
            {batch.cell("logs")} FROM {batch.source} WHERE true
        ON CONFLICT (run_id, number) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
            error_type = excluded.error_type, error = excluded.error, traceback = excluded.traceback,
            logs = excluded.logs""")


@cache
def progressed(dialect: str) -> tuple[Batch, TextClause]:
    """The progress of running runs."""
    batch = Batch(dialect, PROGRESSED)
    return batch, text(f"""
        UPDATE runs SET progress = {batch.cell("progress")} FROM {batch.source}
        WHERE runs.id = r.run_id AND runs.starts = r.number AND runs.state = 'running'""")
