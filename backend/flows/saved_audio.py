"""Audio on its artist's own server: what storage has of a track, brought there, and brought there again when it was dropped."""

from datetime import timedelta

from sqlalchemy import select

from backend.db.models.runs import ACTIVE, Run
from backend.db.session import unit_of_work
from backend.domains.federation.publication import publish_track
from backend.domains.federation.save_audio import ask_for_audio, drop_audio, save_audio
from backend.domains.federation.saved_audio import get_saved, is_missing
from backend.domains.federation.writing import RETRY
from backend.domains.media.sources import find_sounds
from backend.errors import Snooze
from backend.runtime import after, current_run, scheduler, task
from backend.runtime.cancel import cancel_in

LOOK_AGAIN = timedelta(seconds=1)


@task(queue="federation", priority=-10, limit=3, retry=RETRY, timeout=3600, key="save_audio:{track_id}")
async def save_audio_to_pds(track_id: str) -> dict[str, object]:
    """Put a track's audio on its artist's server. A repeat finds it there, or sends the same bytes under the same name."""
    version_id, sounds = await find_sounds(track_id)
    await save_audio(track_id, version_id, sounds, current_run().progress)
    saved = await get_saved(track_id)
    if saved.blob is None:
        raise Snooze("the track shows another version by now", after=LOOK_AGAIN)
    return {"what": saved.what, "blob": saved.blob}


schedule_save_audio = scheduler(save_audio_to_pds)


async def request_saving(track_id: str) -> str:
    """Have a track's audio saved. Gives the run. Raises NotFound, and Conflict when it is gated or not published."""
    async with unit_of_work() as unit:
        await ask_for_audio(unit, track_id)
        return (await schedule_save_audio(track_id)).id


async def withdraw_saved(track_id: str) -> None:
    """Have a track's audio on its artist's server no more; the record stays. Raises NotFound when it was never asked for."""
    active = select(Run.id).where(
        Run.task == save_audio_to_pds.__name__, Run.state.in_(ACTIVE), Run.args["track_id"].as_string() == track_id
    )
    async with unit_of_work() as unit:
        for run_id in list(await unit.session.scalars(active)):
            await cancel_in(unit, run_id)
        await drop_audio(unit, track_id)


@after(publish_track)
async def save_what_was_dropped(track_id: str) -> None:
    """Save the audio again once its record may name it: the gate has opened, or the track shows another version.

    Safe to repeat: one that is there already, or on its way, is not sent again.
    """
    if await is_missing(track_id):
        await schedule_save_audio(track_id)
