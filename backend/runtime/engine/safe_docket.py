"""docket's Docket with its known traps closed: connections, command retries, unreadable messages."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import cloudpickle
from docket import Docket, Execution
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from backend.runtime.engine.script_batch import ScriptBatch

logger = logging.getLogger(__name__)

# Without these redis-py hands out dead connections (RESP3), and waits for ever on a silent one. The timeout is longer
# than docket's longest blocking read, which is 60 s.
URL_OPTIONS = {"protocol": "2", "socket_timeout": "70", "socket_keepalive": "true"}
SPARE_CONNECTIONS = 48
_COMMAND_RETRY = Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), 40)

Message = dict[bytes, bytes]
Unreadable = Callable[[str, str, str], Awaitable[None]]  # the message's key, its function, what is wrong
Adopt = Callable[[Any, tuple[Any, ...], dict[str, Any], datetime | None, str | None], Awaitable[str]]


def safe_url(url: str, concurrency: int) -> str:
    """The URL with the options that make redis-py safe. Options that are in it already win."""
    if url.startswith("memory://"):
        return url
    parts = urlsplit(url)
    options = {**URL_OPTIONS, "max_connections": str(concurrency + SPARE_CONNECTIONS), **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(options)))


class SafeDocket(Docket):
    """A Docket whose `register` declares tasks and whose `add` enqueues runs, so that the ledger knows all of them.

    Only the engine's own functions (see `carry`) are docket tasks. Registering every task would cost Redis commands
    with each heartbeat for each of them.
    """

    def __init__(
        self,
        name: str,
        url: str,
        concurrency: int,
        declare: Callable[[Any], None],
        adopt: Adopt,
        on_unreadable: Unreadable,
    ) -> None:
        super().__init__(
            name=name,
            url=safe_url(url, concurrency),
            heartbeat_interval=timedelta(seconds=10),
            # The ledger keeps results and errors. docket would pickle them, and die of what does not pickle.
            execution_ttl=timedelta(0),
        )
        self.tasks = {}
        self._declare = declare
        self._adopt = adopt
        self._on_unreadable = on_unreadable
        self._screened: ScreenedClient | None = None

    def carry(self, function: Callable[..., Awaitable[None]]) -> None:
        """Register one of the engine's own functions as a docket task."""
        self.tasks[function.__name__] = function

    async def put(self, function: Callable[..., Awaitable[None]], key: str, *args: Any) -> None:
        """Put a call of one of the engine's own functions on the stream."""
        await super().add(function, key=key)(*args)

    def register(self, function: Callable[..., Awaitable[Any]], names: list[str] | None = None) -> None:
        """Declare a plain async function as a task of the runner, unless it is declared."""
        if self.tasks.get(function.__name__) is not function:
            self._declare(function)

    def add(  # type: ignore[override]
        self, function: Any, when: datetime | None = None, key: str | None = None
    ) -> Callable[..., Awaitable[Execution]]:
        """Enqueue a run in the ledger, as every `schedule_*` helper does. The execution's key is the run's id."""

        async def scheduler(*args: Any, **kwargs: Any) -> Execution:
            run_id = await self._adopt(function, args, kwargs, when, key)
            return Execution(self, _in_the_ledger, args, kwargs, run_id, when or datetime.now(UTC), attempt=1)

        return scheduler

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Any]:
        """docket's client. Its commands are tried again, and what a worker reads with it can be read."""
        async with super().redis() as client:
            if self._screened is None or not self._screened.is_of(client):
                if isinstance(client, Redis):
                    client.set_retry(_COMMAND_RETRY)
                self._screened = ScreenedClient(client, self._screen)
            yield self._screened

    def pool_use(self) -> dict[str, int]:
        """Connections to Redis that are `in_use` and `idle`, over all pools; nothing for the server in this process."""
        connection = self._redis
        pools = (connection._connection_pool, connection._pubsub_pool, connection._node_pool)
        open_pools = [pool for pool in pools if pool is not None]
        if not open_pools:
            return {}
        return {
            "in_use": sum(len(pool._in_use_connections) for pool in open_pools),
            "idle": sum(len(pool._available_connections) for pool in open_pools),
        }

    async def _screen(self, messages: list[tuple[bytes, Message]]) -> list[tuple[bytes, Message]]:
        """The messages that a worker can read. One that it cannot would end the worker, now and at every redelivery."""
        readable = []
        for message_id, message in messages:
            problem = _problem_of(message) if message else None
            if problem is None:
                readable.append((message_id, message))
                continue
            key, function = (message.get(field, b"").decode(errors="replace") for field in (b"key", b"function"))
            logger.error("unreadable message %s for %r: %s", message_id, function, problem)
            await self._on_unreadable(key or message_id.decode(), function, problem)
            async with super().redis() as client:
                await client.xack(self.stream_key, self.worker_group_name, message_id)
                await client.xdel(self.stream_key, message_id)
        return readable


class ScreenedClient:
    """A Redis client whose stream reads leave out what cannot be read, and whose script calls travel together.

    It is its client in every other way.
    """

    def __init__(self, client: Any, screen: Callable[[list[Any]], Awaitable[list[Any]]]) -> None:
        self._client = client
        self._screen = screen
        # A cluster has no pipeline over all keys, and the server in this process no round trips.
        self.evalsha = ScriptBatch(client).evalsha if isinstance(client, Redis) else client.evalsha

    def is_of(self, client: Any) -> bool:
        """Whether it stands for this client."""
        return self._client is client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @property
    def __class__(self) -> type:
        # docket asks `isinstance(client, RedisCluster)` to choose its commands.
        return type(self._client)

    async def xreadgroup(self, *args: Any, **kwargs: Any) -> list[Any]:
        """New messages, screened."""
        streams = await self._client.xreadgroup(*args, **kwargs)
        return [(name, await self._screen(messages)) for name, messages in streams or ()]

    async def xautoclaim(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Messages of dead workers, screened."""
        cursor, messages, *rest = await self._client.xautoclaim(*args, **kwargs)
        return [cursor, await self._screen(messages), *rest]


async def _in_the_ledger() -> None:
    """Stands for a function whose run the ledger hands over."""


def _problem_of(message: Message) -> str | None:
    try:
        args, kwargs = cloudpickle.loads(message[b"args"]), cloudpickle.loads(message[b"kwargs"])
        datetime.fromisoformat(message[b"when"].decode())
        int(message[b"attempt"]), int(message.get(b"generation", b"0"))
        message[b"key"].decode(), message[b"function"].decode()
    except Exception as error:  # unpickling can raise anything; the message becomes a dead run
        return f"{type(error).__name__}: {error}"
    if not isinstance(args, tuple) or not isinstance(kwargs, dict) or not all(isinstance(name, str) for name in kwargs):
        return "args is no tuple, or kwargs is no dict with names"
    return None
