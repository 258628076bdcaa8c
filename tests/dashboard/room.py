"""Tasks for the tests of the desk: one that fails until its arguments are mended, one that dies, one that takes its time."""

import asyncio
import logging

from backend.errors import InvalidInput
from backend.runtime import Retry, current_run, scheduler, task

logger = logging.getLogger("backend.tests.desk")


@task(queue="curation", retry=Retry(attempts=1), key="release:{release}")
async def check_release(release: str, codec: str, api_key: str = "") -> dict[str, str]:
    """Refuses what is not opus. A repeat refuses it again."""
    logger.info("looking at release %s", release)
    logger.warning("its codec is %s", codec)
    if codec != "opus":
        raise InvalidInput(f"codec {codec} is not understood <b>at all</b>", field="codec")
    return {"release": release, "codec": codec}


@task(queue="library", retry=Retry(attempts=1))
async def tag_item(number: int) -> int:
    """Dies for numbers below zero, as many do at once. A repeat dies again."""
    if number < 0:
        raise InvalidInput("the catalogue has no negative numbers", field="number")
    return number


@task(queue="library")
async def index_library(steps: int, pause_s: float) -> int:
    """Takes its time and tells every step. A repeat takes them again."""
    for step in range(steps):
        await current_run().progress(step, steps, "indexing")
        await asyncio.sleep(pause_s)
    return steps


@task(queue="upkeep", cron="0 4 * * *")
async def tidy_shelves(deep: bool = False) -> bool:
    """Says how deep it tidied. A repeat tidies what is tidy."""
    logger.info("tidying, deep: %s", deep)
    return deep


schedule_check_release = scheduler(check_release)
schedule_tag_item = scheduler(tag_item)
schedule_index_library = scheduler(index_library)
