"""Audio on its artist's own server: what storage has of a track, brought there, and brought there again when it was dropped."""

from backend.domains.federation.publication import publish_track
from backend.domains.federation.save_audio import RUN_KEY, save_audio
from backend.domains.federation.saved_audio import get_saved, is_missing
from backend.domains.federation.writing import RETRY
from backend.domains.media.sources import find_sounds
from backend.runtime import after, current_run, scheduler, task


@task(queue="federation", priority=-10, limit=3, retry=RETRY, timeout=3600, key=RUN_KEY)
async def save_audio_to_pds(track_id: str) -> dict[str, object]:
    """Put a track's audio on its artist's server. A repeat finds it there, or sends the same bytes under the same name."""
    version_id, sounds = await find_sounds(track_id)
    await save_audio(track_id, version_id, sounds, current_run().progress)
    saved = await get_saved(track_id)
    return {"what": saved.what, "blob": saved.blob}


schedule_save_audio = scheduler(save_audio_to_pds)


@after(publish_track)
async def save_what_was_dropped(track_id: str) -> None:
    """Save the audio again once its record may name it: the gate has opened, or the track shows another version.

    Safe to repeat: one that is there already, or on its way, is not sent again.
    """
    if await is_missing(track_id):
        await schedule_save_audio(track_id)
