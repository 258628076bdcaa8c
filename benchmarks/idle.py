"""What a system costs Redis while it has nothing to do."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from redis.asyncio import Redis

from benchmarks.process import Subject
from benchmarks.servers import Servers
from benchmarks.systems import System
from tests.servers import RedisServer

SETTLE_S = 6.0
OURS = ("config|resetstat", "info", "monitor", "client|setinfo")  # the harness's own commands


@dataclass(frozen=True)
class Idle:
    """Commands a second of one whole process."""

    system: str
    tasks: int  # that it declares
    seconds: float
    client_per_s: float  # sent to Redis by the process: MONITOR without what scripts execute
    all_per_s: float  # INFO commandstats: with what scripts execute
    commands: dict[str, float]  # the same as `all_per_s`, by command


async def idle(servers: Servers, system: System, tasks: int, seconds: float) -> Idle:
    """Count the commands of a process that declares `tasks` tasks and has nothing to do."""
    with RedisServer() as server, servers.site(system, server) as site, Subject(site, tasks):
        await asyncio.sleep(SETTLE_S)
        # Nothing may come for long: that is what is hoped for.
        async with Redis.from_url(server.url, protocol=2, socket_timeout=None) as client:
            await client.config_resetstat()
            sent: Counter[str] = Counter()
            listening = asyncio.create_task(_count_commands(client, sent))
            await asyncio.sleep(seconds)
            listening.cancel()
            await asyncio.wait([listening])
            stats = await client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    calls = {name: count for name, count in sorted(calls.items()) if name not in OURS}
    own = 2  # RESETSTAT and INFO, which MONITOR may show
    return Idle(
        system.kind,
        tasks,
        seconds,
        round(max(sum(sent.values()) - sent["lua"] - own, 0) / seconds, 2),
        round(sum(calls.values()) / seconds, 2),
        {name: round(count / seconds, 2) for name, count in calls.items()},
    )


async def _count_commands(client: Redis, sent: Counter[str]) -> None:
    """Count who sends, by type of client, until cancelled."""
    async with client.monitor() as monitor:
        while True:
            sent[(await monitor.next_command())["client_type"]] += 1
