"""Who may do what with a track: decided here only."""

from dataclasses import dataclass

from sqlalchemy import select

from backend.db.models.media import Track
from backend.db.session import Unit, database
from backend.errors import Forbidden, NotFound, SignInRequired


@dataclass(frozen=True)
class Person:
    """Somebody who asks for something. `did` is None for nobody; an admin may do what owners may."""

    did: str | None = None
    admin: bool = False


NOBODY = Person()


def must_own(person: Person, artist_did: str | None) -> None:
    """Raise SignInRequired for nobody, and Forbidden unless the thing is theirs or they are an admin."""
    if person.did is None:
        raise SignInRequired("this has an owner: sign in")
    if person.did != artist_did and not person.admin:
        raise Forbidden("this belongs to somebody else")


def must_hear(person: Person, track: Track) -> None:
    """Raise SignInRequired or Forbidden when the track is gated and the person neither owns it nor is an admin."""
    if track.gated:
        must_own(person, track.artist_did)


def may_hear(person: Person, track: Track) -> bool:
    """Whether `must_hear` lets this person pass."""
    return not track.gated or person.admin or (person.did is not None and person.did == track.artist_did)


async def check_owner(track_id: str, person: Person) -> None:
    """Refuse early, before anything costs time. Raises NotFound, SignInRequired, Forbidden."""
    async with database().reading() as session:
        track = await session.get(Track, track_id)
    _own(track_id, track, person)


async def check_hearing(track_id: str, person: Person) -> None:
    """Raise NotFound for no track, and SignInRequired or Forbidden when this person may not hear it."""
    async with database().reading() as session:
        track = await session.get(Track, track_id)
    if track is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    must_hear(person, track)


async def own_track(unit: Unit, track_id: str, person: Person) -> Track:
    """A track that its owner changes within this unit: nobody else changes it until the end.

    Raises NotFound, SignInRequired, Forbidden.
    """
    found = select(Track).where(Track.id == track_id).with_for_update().execution_options(populate_existing=True)
    return _own(track_id, await unit.session.scalar(found), person)


def _own(track_id: str, track: Track | None, person: Person) -> Track:
    if track is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    must_own(person, track.artist_did)
    return track
