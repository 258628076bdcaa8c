"""The platform beside a real network: settings that lead there, accounts that are signed in, and a PDS that fails."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme
from sqlalchemy import select, update

from backend.db.ids import new_id
from backend.db.models.federation import Account, Revocation
from backend.db.models.media import Asset, Track, TrackVersion
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.federation.accounts import SignedIn, sign_in
from backend.domains.federation.oauth import Arrived, begin, finish
from backend.domains.federation.publication import publish, request_publication
from backend.domains.federation.revocation import revoke
from backend.domains.federation.vault import Tokens, seal, unseal
from tests.conftest import set_environment
from tests.domains.federation.elsewhere import OtherClient, other_client
from tests.network.faulty import FaultyPds, faulty_pds
from tests.network.person import Person
from tests.network.server import Account as PdsAccount
from tests.network.server import NetworkServer
from tests.servers import free_port

HERE = "203.0.113.9"  # where sign-ins come from


@pytest.fixture
def platform(network: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> NetworkServer:
    """The network, with the platform's settings leading to it. Ask for it before the database."""
    set_environment(
        monkeypatch, ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1",
        OUTBOUND_TIMEOUT_S="5", SIGN_IN_ATTEMPTS="1000",
    )  # fmt: skip
    return network


@pytest.fixture(scope="session")
def alice_password(network: NetworkServer) -> str:
    """An app password of alice's. Making one takes half a second."""
    return network.app_password(network.alice)


@pytest.fixture
def listening(platform: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> NetworkServer:
    """The network, to which the platform listens. Ask for it before the database."""
    set_environment(monkeypatch, INGEST_URL=platform.firehose_url)
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


@pytest.fixture(scope="session")
def bob_password(network: NetworkServer) -> str:
    """An app password of bob's."""
    return network.app_password(network.bob)


@pytest.fixture
async def faulty(platform: NetworkServer) -> AsyncIterator[FaultyPds]:
    """The PDS, seen through a proxy that fails on request."""
    async with faulty_pds(platform.pds_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who certifies names under backline.fm, for the PDS of `fronted_network`."""
    return trustme.CA()


@pytest.fixture(scope="session")
def fronted_network(authority: trustme.CA) -> Iterator[NetworkServer]:
    """A second network, whose PDS calls itself by a port where `front` listens."""
    certificate = authority.cert_pem.bytes().decode()
    with NetworkServer(public_port=free_port(), authority=certificate) as server:
        yield server


@pytest.fixture
async def front(fronted_network: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultyPds]:
    """A proxy at the public address of that PDS, with the settings leading there: what is proven of a URL holds through it.

    Ask for it before the database.
    """
    set_environment(
        monkeypatch, ATPROTO_PLC_URL=fronted_network.plc_url, ATPROTO_HANDLE_URL=fronted_network.pds_url,
        OUTBOUND_PRIVATE="1", OUTBOUND_TIMEOUT_S="5", SIGN_IN_ATTEMPTS="1000",
    )  # fmt: skip
    async with faulty_pds(fronted_network.behind, fronted_network.public_port) as proxy:
        yield proxy


def came_back(url: str, browser: str) -> Arrived:
    """What the URL says to which an authorization server sent a browser."""
    said = dict(parse_qsl(urlsplit(url).query))
    return Arrived(said["state"], browser, said.get("iss"), said.get("code"), said.get("error"))


async def oauth_sign_in(network: NetworkServer, account: PdsAccount) -> SignedIn:
    """Somebody signs in with OAuth."""
    begun = await begin(account.handle, HERE)
    back = await Person(network.behind).allow(begun.url, account)
    return (await finish(came_back(back, begun.browser))).signed_in


async def alice_signs_in(platform: NetworkServer, password: str, through: FaultyPds | None = None) -> SignedIn:
    """alice.test signs in. `through`: from then on her server is reached through this proxy."""
    done = await sign_in("alice.test", password, HERE)
    if through is not None:
        async with unit_of_work() as unit:
            await unit.connection.execute(
                update(Account).where(Account.did == platform.alice.did).values(pds_url=through.url)
            )
    return done


async def account_row(did: str) -> Account:
    """The account's row as it is now."""
    async with current_database().reading() as session:
        return await session.get_one(Account, did)


async def tokens_of(did: str) -> Tokens:
    """What the account is called with now."""
    sealed = (await account_row(did)).credentials
    assert sealed is not None
    return unseal(did, sealed)


async def spoil_access(did: str) -> None:
    """The account's access token is one that its server refuses, as if it had expired."""
    tokens = replace(await tokens_of(did), access="spoilt.access.token")
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Account).where(Account.did == did).values(credentials=seal(did, tokens)))


async def ready_track(did: str | None, title: str = "Night Drive", status: str = "ready") -> str:
    """A track as the media crew leaves it. Returns its id."""
    asset = Asset(id=new_id(), bucket="private", key=new_id(), mime="audio/flac", size_bytes=1)
    track = Track(id=new_id(), title=title, artist_did=did, current_version_id=new_id())
    made = {"track_id": track.id, "original_asset_id": asset.id, "codec": "flac", "duration_s": 210.6}
    version = TrackVersion(id=track.current_version_id, status=status, **made)
    async with unit_of_work() as unit:
        unit.session.add_all([asset, track])
        await unit.flush()
        unit.session.add(version)
    return track.id


async def revoke_all(database: Database) -> list[bool]:
    """Do what the runs would that revoke. Returns of each whether there was anything left to end."""
    async with database.reading() as session:
        ids = list(await session.scalars(select(Revocation.id)))
    return [await revoke(each) for each in ids]
