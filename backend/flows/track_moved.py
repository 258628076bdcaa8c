"""What follows a move between the buckets: the place for runs that rewrite what names the old addresses."""

import logging

from backend.domains.media.move import move_audio
from backend.runtime import after

logger = logging.getLogger(__name__)


@after(move_audio)
async def tell_of_move(track_id: str, result: dict[str, object]) -> None:
    """Say where the track is now. Published records that name its audio are rewritten from here, by runs of their own.

    `result["home"]` is `private` or `public`. Called when all objects are at home, and again when a run is repeated, so
    what is enqueued here needs a key. A move that failed never comes here.
    """
    logger.info("what was made of track %s is %s now", track_id, result["home"])
