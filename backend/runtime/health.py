"""Health: whether the process lives, whether it can serve, and what is not as it should be. Three different things."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.db.base import now
from backend.db.session import database
from backend.errors import Unavailable
from backend.runtime.queues import list_queues
from backend.runtime.runner import CANARY_MISSES, Runner, current_runner

DATABASE_PATIENCE_S = 2.0
HOPELESS_MISSES = 10 * CANARY_MISSES


@dataclass
class HealthView:
    """`live`: the loop answers. `ready`: requests can be served. `degraded`: what an operator should look at."""

    live: bool = True
    ready: bool = True
    degraded: list[str] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)


async def health() -> HealthView:
    """Look at the database, the engine, the worker loop and the queues."""
    view = HealthView()
    await _check_database(view)
    runner = current_runner()
    if runner is None:
        view.checks["runner"] = "none"
        return view
    _check_loops(view, runner)
    _check_life(view, runner)
    await _check_redis(view, runner)
    if view.ready:
        await _check_queues(view, runner)
    return view


async def _check_database(view: HealthView) -> None:
    try:
        async with asyncio.timeout(DATABASE_PATIENCE_S), database().reading() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError, Unavailable) as error:
        view.ready = False
        view.checks["database"] = type(error).__name__
        view.degraded.append("the database does not answer")
    else:
        view.checks["database"] = "ok"


def _check_loops(view: HealthView, runner: Runner) -> None:
    view.checks["process"] = {
        "name": runner.card.name,
        "kind": runner.card.kind,
        "engine": runner.card.engine,
        "capacity": runner.card.capacity,
        "running": len(runner.executor.running),
        "loop_lag_ms": runner.card.loop_lag_ms,
    }
    view.checks["loops"] = {
        loop.name: {"alive": loop.alive, "restarts": loop.restarts, "last_error": loop.last_error}
        for loop in runner.loops
    }
    view.degraded += [f"the {loop.name} loop is down: {loop.last_error}" for loop in runner.loops if not loop.alive]
    if runner.card.capacity and runner.card.canary_at is not None:
        age = now() - runner.card.canary_at
        view.checks["canary_age_s"] = round(age.total_seconds(), 1)
        if age > timedelta(seconds=CANARY_MISSES * runner.settings.runner.runner_canary_s):
            view.degraded.append("no canary run came back: runs may not be executed")
    if runner.watchdog.blocked_at is not None and now() - runner.watchdog.blocked_at < timedelta(minutes=5):
        view.degraded.append(f"the event loop was blocked for {runner.watchdog.blocked_s:.1f} s")
    if not runner.view.engine_up:
        view.degraded.append("the engine is away: runs wait in the ledger")


def _check_life(view: HealthView, runner: Runner) -> None:
    # Supervision mends what it can. Where it is gone itself, or mended in vain for long, only a new process helps.
    gone = [loop.name for loop in runner.loops if not loop.supervised]
    if gone:
        view.degraded.append(f"nobody looks after {', '.join(gone)}: restart this process")
    silent = view.checks.get("canary_age_s", 0.0) > HOPELESS_MISSES * runner.settings.runner.runner_canary_s
    view.live = not gone and not (silent and runner.view.engine_up)


async def _check_redis(view: HealthView, runner: Runner) -> None:
    if runner.docket is None or runner.engine.private:
        view.checks["redis"] = "not used"
        return
    try:
        async with asyncio.timeout(DATABASE_PATIENCE_S), runner.docket.redis() as redis:
            durability = await redis_durability(redis)
    except (RedisError, OSError, TimeoutError) as error:
        view.checks["redis"] = type(error).__name__
        view.degraded.append("Redis does not answer")
        return
    view.checks["redis"] = durability or "ok"
    view.degraded += durability


async def redis_durability(redis: Any) -> list[str]:
    """What makes this Redis lose data: said in a sentence each. Empty when nothing does, or when it may not be asked."""
    memory, persistence = await redis.info("memory"), await redis.info("persistence")
    problems = []
    if not persistence.get("aof_enabled"):
        problems.append("Redis is not durable: set appendonly yes (the ledger repairs what is lost, but late)")
    if memory.get("maxmemory_policy", "noeviction") != "noeviction":
        problems.append(f"Redis evicts keys ({memory['maxmemory_policy']}): set maxmemory-policy noeviction")
    return problems


async def _check_queues(view: HealthView, runner: Runner) -> None:
    try:
        async with asyncio.timeout(DATABASE_PATIENCE_S):
            queues = await list_queues()
    except (SQLAlchemyError, OSError, Unavailable) as error:
        view.degraded.append(f"the queues cannot be read: {type(error).__name__}")
        return
    view.checks["queues"] = {
        queue.name: {"waiting": queue.waiting, "running": queue.running, "dead": queue.dead, "paused": queue.paused}
        for queue in queues
    }
    if any(queue.waiting for queue in queues) and runner.view.capacity == 0:
        view.degraded.append("runs are waiting and no worker is there to take them")
