"""What others do elsewhere in a real network is here too, once, and what we did ourselves makes no twin."""

from collections.abc import AsyncIterator

import pytest

from backend.db.session import Database
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.likes import show_like, unlike
from backend.domains.federation.publication import get_publication, publish, request_publication
from backend.domains.federation.records import RecordState
from backend.domains.federation.writing import bring
from tests.conftest import set_environment
from tests.domains.federation.conftest import HERE, alice_signs_in, ready_track
from tests.domains.federation.elsewhere import OtherClient, heed_all, other_client, read_all
from tests.network.server import NetworkServer


@pytest.fixture
def listening(platform: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> NetworkServer:
    """The network, to which the platform listens. Ask for it before the database."""
    url = platform.pds_url.replace("http", "ws", 1)
    set_environment(monkeypatch, INGEST_URL=f"{url}/xrpc/com.atproto.sync.subscribeRepos")
    return platform


@pytest.fixture
async def track_id(listening: NetworkServer, database: Database, alice_password: str) -> str:
    """A published track of alice's. Nothing runs by itself."""
    await alice_signs_in(listening, alice_password)
    made = await ready_track(listening.alice.did)
    await request_publication(made)
    await publish(made)
    return made


@pytest.fixture
async def bobs(listening: NetworkServer) -> AsyncIterator[OtherClient]:
    """bob's other client."""
    async with other_client(listening, listening.bob) as client:
        yield client


async def test_a_like_from_elsewhere_is_here_once(listening: NetworkServer, track_id: str, bobs: OtherClient) -> None:
    bob = listening.bob.did
    uri = await bobs.like(await get_publication(track_id))
    await read_all(bobs)
    assert "taken" in await heed_all()
    liked = await show_like(bob, track_id)
    assert (liked.liked, liked.likes) == (True, 1)
    assert liked.record is not None
    assert (liked.record.uri, liked.record.state) == (uri, RecordState.WRITTEN)
    # Taken back here, it is deleted there.
    await sign_in("bob.test", listening.app_password(listening.bob), HERE)
    await unlike(bob, track_id)
    assert (await bring(liked.record.id)).state == RecordState.DELETED
    await read_all(bobs)
    await heed_all()
    assert (await show_like(bob, track_id)).likes == 0
