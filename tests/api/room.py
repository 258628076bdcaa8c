"""Tasks for the tests of the API: one that ends, one that dies, one that waits at a gate and tells how far it is."""

import asyncio

from backend.errors import InvalidInput
from backend.runtime import Retry, current_run, scheduler, task

open_gate = asyncio.Event()


@task(queue="curation", priority=3, key="note:{text}")
async def api_note(text: str = "hello", times: int = 1) -> dict[str, str]:
    """Gives the text back. A repeat gives it back again."""
    await current_run().progress(1, 1)
    return {"text": text * times}


@task(queue="curation", retry=Retry(attempts=1))
async def api_die(reason: str = "no") -> None:
    """Always dies. A repeat dies again."""
    raise InvalidInput(f"cannot: {reason}", field="reason")


@task(queue="curation")
async def api_curate() -> None:
    """Works until it is stopped. A repeat does so again."""
    await asyncio.sleep(600)


@task(queue="library")
async def api_wait() -> str:
    """Waits at the gate. A repeat waits again."""
    for step in range(3):
        await current_run().progress(step, 4, f"step {step}")
        await asyncio.sleep(0.12)
    await open_gate.wait()
    return "through"


@task(queue="library")
async def api_steps(steps: int) -> int:
    """Takes its time and tells every step of it. A repeat takes them again."""
    for step in range(steps):
        await current_run().progress(step, steps)
        await asyncio.sleep(0.11)
    return steps


@task(queue="upkeep", cron="0 4 * * 0")
async def api_tidy(deep: bool = False) -> bool:
    """Says how deep it tidied. A repeat tidies what is tidy."""
    return deep


schedule_api_curate = scheduler(api_curate)
schedule_api_note = scheduler(api_note)
schedule_api_die = scheduler(api_die)
schedule_api_steps = scheduler(api_steps)
schedule_api_wait = scheduler(api_wait)
