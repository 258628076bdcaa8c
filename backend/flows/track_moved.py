"""What follows a move between the buckets: the record that was published says who may hear the track now."""

import logging

from backend.domains.federation.publication import refresh_publication
from backend.domains.media.move import move_audio
from backend.runtime import after

logger = logging.getLogger(__name__)


@after(move_audio)
async def tell_of_move(track_id: str, result: dict[str, object]) -> None:
    """Say where the track is now, and rewrite its record on its artist's server, by a run of its own.

    `result["home"]` is `private` or `public`. Called when all objects are at home, and again when a run is repeated: a
    record that says it already is not written again. A move that failed never comes here.
    """
    logger.info("what was made of track %s is %s now", track_id, result["home"])
    await refresh_publication(track_id)
