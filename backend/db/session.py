"""The database and the unit of work: the only place that commits."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from typing import cast

from asyncpg import PostgresError
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from backend.db import dialects
from backend.errors import Unavailable
from backend.settings.database import DatabaseSettings

logger = logging.getLogger(__name__)

AfterCommit = Callable[[], Awaitable[None]]


class Unit:
    """One transaction. What is written in it is there for all, or for none.

    `session` maps rows to models, `connection` takes plain statements; both are the same transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.owner = asyncio.current_task()
        self.open = True
        self.failure: BaseException | None = None
        self._session: AsyncSession | None = None
        self._after_commit: list[AfterCommit] = []

    @property
    def session(self) -> AsyncSession:
        """Made when it is first asked for: most units of the runner need none."""
        if self._session is None:
            self._session = AsyncSession(bind=self.connection, expire_on_commit=False, autoflush=True)
        return self._session

    async def flush(self) -> None:
        """Write what the session holds back."""
        if self._session is not None:
            await self._session.flush()

    async def close(self) -> None:
        """From here on the unit is nobody's."""
        self.open = False
        if self._session is not None:
            await self._session.close()

    def after_commit(self, call: AfterCommit) -> None:
        """Run `call` once the transaction is committed. Never runs after a rollback."""
        self._after_commit.append(call)

    async def _settle(self) -> None:
        for call in self._after_commit:
            await call()


_current: ContextVar[Unit | None] = ContextVar("current_unit", default=None)


def current_unit() -> Unit | None:
    """The unit this asyncio task is inside of, if any."""
    unit = _current.get()
    return unit if unit is not None and unit.open and unit.owner is asyncio.current_task() else None


class Database:
    """An engine with the pragmas and pools each dialect needs."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.is_sqlite = settings.url.startswith("sqlite")
        if self.is_sqlite:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(
            settings.url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_pool_timeout_s,
            pool_use_lifo=True,
            connect_args=dialects.SQLITE if self.is_sqlite else dialects.POSTGRESQL,
        )
        event.listen(self.engine.sync_engine, "handle_error", _note_failure)
        # SQLite has one writer at a time. Waiting here is fair; waiting in SQLite is a busy loop.
        self._writer = asyncio.Lock()
        self._returning: set[asyncio.Future[None]] = set()
        if self.is_sqlite:
            dialects.prepare_sqlite(self.engine.sync_engine)
        else:
            dialects.prepare_postgresql(self.engine.sync_engine)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """A unit of work: commits at the end, rolls back on any error. Inside another one it joins that.

        Raises Unavailable when no connection comes free in time, and RuntimeError when a statement failed outside a
        savepoint and the error was caught: such a transaction cannot be committed.
        """
        if (outer := current_unit()) is not None:
            yield outer
            return
        unit: Unit | None = None
        async with self._connect(write=True) as connection:
            unit = Unit(connection)
            token = _current.set(unit)
            try:
                yield unit
                await unit.flush()
                if unit.failure is not None:
                    raise RuntimeError("a statement failed outside a savepoint: nothing is written") from unit.failure
                await connection.commit()
            finally:
                _current.reset(token)
                await unit.close()
        await unit._settle()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading. Inside a unit it is the unit's, so that it sees what the unit wrote."""
        if (unit := current_unit()) is not None:
            yield unit.session
            return
        async with self._connect(write=False) as connection, AsyncSession(bind=connection) as session:
            yield session

    @asynccontextmanager
    async def _connect(self, write: bool) -> AsyncIterator[AsyncConnection]:
        async with self._turn() if write and self.is_sqlite else nullcontext():
            try:
                connection = await self.engine.connect()
            except PoolTimeout as error:
                raise Unavailable("the database is busy: no connection came free in time") from error
            except (OSError, PostgresError) as error:
                # The second: it starts, stops, or has no connection left. SQLAlchemy passes that on as it is.
                raise Unavailable(f"the database cannot be reached: {error}") from error
            try:
                if self.is_sqlite and write:
                    await connection.execution_options(backline_write=True)
                yield connection
            finally:
                # A cancelled caller still gives its connection back whole, or SQLite's writer lock stays taken.
                returning = asyncio.ensure_future(connection.close())
                self._returning.add(returning)
                returning.add_done_callback(self._returning.discard)
                await asyncio.shield(returning)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.settings.database_pool_timeout_s):
                await self._writer.acquire()
        except TimeoutError as error:
            raise Unavailable("the database is busy: another unit of work did not end in time") from error
        try:
            yield
        finally:
            self._writer.release()

    def pool_use(self) -> tuple[int, int, int]:
        """Connections in use, idle ones, and how many there may be."""
        pool = cast(AsyncAdaptedQueuePool, self.engine.pool)
        return pool.checkedout(), pool.checkedin(), self.settings.database_pool_size

    async def close(self) -> None:
        """Close every connection, those too that cancelled callers are still giving back."""
        if self._returning:
            await asyncio.wait(self._returning)
        await self.engine.dispose()


def _note_failure(context: ExceptionContext) -> None:
    # PostgreSQL answers the COMMIT of a failed transaction with a silent ROLLBACK, so the failure is remembered.
    unit, connection = current_unit(), context.connection
    if unit is not None and connection is not None and not connection.in_nested_transaction():
        unit.failure = context.original_exception


_database: Database | None = None


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Make this the process's database until the block ends."""
    global _database
    previous, _database = _database, Database(settings)
    mine = _database
    try:
        yield mine
    finally:
        _database = previous
        await mine.close()


def database() -> Database:
    """The process's database. Raises RuntimeError when none is open."""
    if _database is None:
        raise RuntimeError("no database is open: use `async with open_database(...)`")
    return _database


def unit_of_work() -> AbstractAsyncContextManager[Unit]:
    """Shorthand for `database().unit()`."""
    return database().unit()
