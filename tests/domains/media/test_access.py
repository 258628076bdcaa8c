"""Who may do what with a track."""

from pathlib import Path

import pytest

from backend.db.session import Database, unit_of_work
from backend.domains.media.access import NOBODY, Person, check_owner, must_own, own_track
from backend.domains.media.upload import store_upload
from backend.errors import Forbidden, NotFound, SignInRequired
from backend.storage import Storage
from tests import audio
from tests.domains.media.conftest import sent

ALICE, BOB, ADMIN = Person("did:plc:alice"), Person("did:plc:bob"), Person("did:plc:root", admin=True)


@pytest.mark.parametrize("owner", ["did:plc:alice", None])
def test_owners_and_admins_may_and_others_may_not(owner: str | None) -> None:
    must_own(ADMIN, owner)
    if owner:
        must_own(ALICE, owner)
    for person, error in ((BOB, Forbidden), (NOBODY, SignInRequired)):
        with pytest.raises(error):
            must_own(person, owner)


async def test_a_track_is_changed_by_its_owner(database: Database, store: Storage, tmp_path: Path) -> None:
    made = await store_upload(sent(audio.tone(tmp_path / "a.wav", 0.1)), artist_did=ALICE.did)
    for person in (ALICE, ADMIN):
        await check_owner(made.track_id, person)
        async with unit_of_work() as unit:
            assert (await own_track(unit, made.track_id, person)).id == made.track_id
    for track_id, person, error in (
        (made.track_id, BOB, Forbidden), (made.track_id, NOBODY, SignInRequired), ("nope", ADMIN, NotFound),
    ):  # fmt: skip
        with pytest.raises(error):
            await check_owner(track_id, person)
        with pytest.raises(error):
            async with unit_of_work() as unit:
                await own_track(unit, track_id, person)
