"""What connections of each dialect need: pragmas, settings, and the mending of what a broken caller leaves."""

import sqlite3
import time
from selectors import EVENT_READ, DefaultSelector

from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

PING_AFTER_S = 5.0
SILENT_TRANSACTION_S = 30


class YieldingConnection(sqlite3.Connection):
    """An SQLite connection that gives its lock back when it is closed.

    A caller that is cancelled between a statement and its rows leaves a cursor behind. SQLite closes such a connection
    only with its last cursor, and until then nobody else may write.
    """

    def close(self) -> None:
        """Roll back what is open, then close."""
        if self.in_transaction:
            self.rollback()
        super().close()


SQLITE = {"factory": YieldingConnection}
# A process that is frozen or cut off inside a transaction would hold its locks until somebody finds it.
POSTGRESQL = {"server_settings": {"idle_in_transaction_session_timeout": f"{SILENT_TRANSACTION_S}s"}}


def prepare_sqlite(engine: Engine) -> None:
    """Let this engine's connections wait for each other, and begin as writers or as readers."""
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def prepare_postgresql(engine: Engine) -> None:
    """Drop this engine's dead connections before they are used."""
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _refuse_dead)


def _note_use(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["used_at"] = time.monotonic()


def _refuse_dead(raw: DBAPIConnection, entry: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    # The pool's own ping asks before every use, in three round trips. Here only a connection is asked that was silent for
    # a while, or that has sent something unasked, as a server that stops does. With one dead, the pool drops all of them.
    connection = entry.driver_connection
    if connection.is_closed():
        raise InvalidatePoolError
    silent_s = time.monotonic() - entry.info.get("used_at", time.monotonic())
    if silent_s > PING_AFTER_S or _has_input(connection._transport.get_extra_info("socket").fileno()):
        try:
            raw.ping()  # type: ignore[attr-defined]
        except (AsyncAdapt_asyncpg_dbapi.Error, OSError) as error:
            raise InvalidatePoolError from error


def _has_input(descriptor: int) -> bool:
    with DefaultSelector() as selector:
        selector.register(descriptor, EVENT_READ)
        return bool(selector.select(0))


def _prepare_sqlite(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    raw.isolation_level = None  # type: ignore[attr-defined]  # BEGIN is ours: see _begin_sqlite
    cursor = raw.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts by reading and then writes would fail when another one wrote in between.
    write = connection.get_execution_options().get("backline_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
