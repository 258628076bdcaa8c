"""The sync of a sign-in: an account's profile and its lists are brought up to date, each by a run of its own."""

from sqlalchemy import select

from backend.db.models.federation import Album
from backend.db.session import unit_of_work
from backend.domains.federation.lists import schedule_album_list_sync, schedule_liked_list_sync
from backend.domains.federation.profile import schedule_profile_sync
from backend.runtime import scheduler, task


@task(queue="federation", key="sync:{did}")
async def sync_atproto(did: str) -> dict[str, int]:
    """Start a run for the profile, for each album's list and for the list of likes.

    One that fails stops no other and is seen by itself. A repeat finds them active; those that ran find nothing changed.
    """
    async with unit_of_work() as unit:
        albums = (await unit.session.scalars(select(Album.id).where(Album.artist_did == did))).all()
        await schedule_profile_sync(did)
        await schedule_liked_list_sync(did)
        for album_id in albums:
            await schedule_album_list_sync(album_id)
    return {"albums": len(albums)}


schedule_atproto_sync = scheduler(sync_atproto)
