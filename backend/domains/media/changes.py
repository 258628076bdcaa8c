"""What an owner changes about a track: its title, and whether it is gated."""

from backend.db.session import unit_of_work
from backend.domains.media.access import Person, own_track
from backend.domains.media.move import schedule_move_audio
from backend.domains.media.names import shown_name
from backend.errors import InvalidInput


async def change_track(
    track_id: str, person: Person, title: str | None = None, gated: bool | None = None
) -> str | None:
    """Change what is given, in one unit of work with the run that moves the audio. Gives that run's id, if there is one.

    Raises NotFound, SignInRequired, Forbidden, and InvalidInput for a title without a letter.
    """
    name = None if title is None else shown_name(title)
    if title is not None and name is None:
        raise InvalidInput("a title needs something to show", field="title")
    async with unit_of_work() as unit:
        track = await own_track(unit, track_id, person)
        if name is not None:
            track.title = name
        if gated is None or gated == track.gated:
            return None
        track.gated = gated
        await unit.session.flush()
        return (await schedule_move_audio.using(debounce=0)(track_id)).id
