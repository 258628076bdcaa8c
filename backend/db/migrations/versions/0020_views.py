"""The ledger as the tables that people's own queries name: `job_runs` and `scheduler_logs`."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

STATUS = """
    CASE WHEN state IN ('waiting', 'queued', 'scheduled', 'running') THEN 'running'
         WHEN state = 'succeeded' THEN 'success' ELSE 'failed' END"""
ERROR = "CASE WHEN state = 'cancelled' THEN 'Job cancelled by user' ELSE error END"
# Moments in milliseconds since 1970, JSON text, and seconds between two moments, in each dialect.
SQLITE = {
    "started": "CAST(round((julianday(started_at) - 2440587.5) * 86400000) AS INTEGER)",
    "finished": "CAST(round((julianday(finished_at) - 2440587.5) * 86400000) AS INTEGER)",
    "window": "json_extract(args, '$.window')",
    "current": "json_extract(progress, '$.current')",
    "total": "json_extract(progress, '$.total')",
    "message": "json_extract(progress, '$.message')",
    "seconds": "(julianday(a.ended_at) - julianday(a.started_at)) * 86400",
    "ended": "strftime('%Y-%m-%d %H:%M:%f000', a.ended_at)",
    "lines": """
        SELECT r.id || '-' || a.number || '-' || l.key AS log_id, r.id AS job_id, r.task AS job_type,
               json_extract(l.value, '$.level') AS level, json_extract(l.value, '$.message') AS message,
               strftime('%Y-%m-%d %H:%M:%f000', coalesce(json_extract(l.value, '$.at'), a.started_at)) AS timestamp,
               NULL AS duration_seconds, NULL AS status, NULL AS error_text
        FROM attempts a JOIN runs r ON r.id = a.run_id
        JOIN json_each(CASE WHEN json_type(a.logs) = 'array' THEN a.logs ELSE '[]' END) l""",
}
POSTGRESQL = {
    "started": "CAST(extract(epoch FROM started_at) * 1000 AS bigint)",
    "finished": "CAST(extract(epoch FROM finished_at) * 1000 AS bigint)",
    "window": "CAST(args AS jsonb) ->> 'window'",
    "current": "CAST(CAST(progress AS jsonb) ->> 'current' AS double precision)",
    "total": "CAST(CAST(progress AS jsonb) ->> 'total' AS double precision)",
    "message": "CAST(progress AS jsonb) ->> 'message'",
    "seconds": "CAST(extract(epoch FROM a.ended_at - a.started_at) AS double precision)",
    "ended": "a.ended_at",
    "lines": """
        SELECT r.id || '-' || a.number || '-' || l.place AS log_id, r.id AS job_id, r.task AS job_type,
               l.line ->> 'level' AS level, l.line ->> 'message' AS message,
               coalesce(CAST(l.line ->> 'at' AS timestamptz), a.started_at) AS timestamp,
               CAST(NULL AS double precision) AS duration_seconds, NULL AS status, NULL AS error_text
        FROM attempts a JOIN runs r ON r.id = a.run_id
        CROSS JOIN LATERAL jsonb_array_elements(
            CASE WHEN jsonb_typeof(CAST(a.logs AS jsonb)) = 'array' THEN CAST(a.logs AS jsonb) ELSE '[]' END
        ) WITH ORDINALITY AS l(line, place)""",
}


def upgrade() -> None:
    """Two views. `window` is the argument of that name, else the task's name with hyphens."""
    words = SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL
    op.execute(
        f"""
        CREATE VIEW job_runs AS
        SELECT id, coalesce({words["window"]}, replace(task, '_', '-')) AS "window",
               {words["started"]} AS started_at, {words["finished"]} AS finished_at, {STATUS} AS status, {ERROR} AS error,
               coalesce({words["current"]}, 0) AS progress_current, coalesce({words["total"]}, 0) AS progress_total,
               {words["message"]} AS progress_message
        FROM runs WHERE queue = 'curation' AND started_at IS NOT NULL"""
    )
    op.execute(
        f"""
        CREATE VIEW scheduler_logs AS {words["lines"]}
        UNION ALL
        SELECT r.id || '-' || a.number || '-end', r.id, r.task,
               CASE WHEN a.outcome IN ('failed', 'timed_out', 'lost') THEN 'ERROR' ELSE 'INFO' END,
               'attempt ' || a.number || ' ' || a.outcome, {words["ended"]}, {words["seconds"]},
               CASE WHEN a.outcome = 'succeeded' THEN 'SUCCESS'
                    WHEN a.outcome IN ('failed', 'timed_out', 'lost', 'cancelled') THEN 'FAILED' END,
               a.error
        FROM attempts a JOIN runs r ON r.id = a.run_id WHERE a.ended_at IS NOT NULL"""
    )


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP VIEW scheduler_logs")
    op.execute("DROP VIEW job_runs")
