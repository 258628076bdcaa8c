"""From a handle or a DID to the account: over the real directory, over DNS, over a website; and every lie on the way."""

import json
from collections.abc import AsyncIterator

import dns.asyncresolver
import pytest

from backend.adapters.identity import UNKNOWN_HANDLE, Identities, Identity, checked_handle
from backend.adapters.outbound import Outbound, outbound
from backend.errors import BadAnswer, InvalidInput, NotFound, Unavailable
from backend.settings.network import NetworkSettings
from tests.adapters.nameserver import nameserver
from tests.adapters.scripted import answer, scripted
from tests.network.server import NetworkServer
from tests.servers import free_port

DID = "did:plc:" + "a" * 24
PDS = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com/"}


@pytest.fixture
async def http() -> AsyncIterator[Outbound]:
    async with outbound(NetworkSettings(outbound_private=True, outbound_timeout_s=2.0)) as client:
        yield client


def _settings(plc: str, handles: str | None = None) -> NetworkSettings:
    return NetworkSettings(outbound_private=True, atproto_plc_url=plc, atproto_handle_url=handles)


def _document(**changed: object) -> bytes:
    return answer(200, json.dumps({"id": DID, "alsoKnownAs": ["at://Alice.Test"], "service": [PDS]} | changed).encode())


async def test_a_real_account_is_found_by_handle_and_by_did(http: Outbound, network: NetworkServer) -> None:
    identities = Identities(http, _settings(network.plc_url, network.pds_url))
    alice = Identity(network.alice.did, "alice.test", network.pds_url)
    for text in ("alice.test", "@Alice.Test ", network.alice.did):
        assert await identities.find(text) == alice
    for text in ("nobody.test", "did:plc:" + "z" * 24):
        with pytest.raises(NotFound):
            await identities.find(text)


@pytest.mark.parametrize(
    "text", ["", "alice", "alice..test", "-a.test", "alice.test/x", "a b.test", "x" * 254, "1.2.3.4"]
)
def test_what_is_no_handle(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_handle(text, development=True)
    assert refused.value.field == "identifier"


def test_some_endings_are_nobodys() -> None:
    for handle in ("alice.local", "alice.localhost", "alice.internal", "alice.onion"):
        with pytest.raises(InvalidInput, match="do not end in"):
            checked_handle(handle, development=True)
    assert checked_handle("alice.test", development=True) == "alice.test"
    with pytest.raises(InvalidInput, match=r"do not end in \.test"):
        checked_handle("alice.test", development=False)


@pytest.mark.parametrize("did", ["did:plc:short", "did:key:zabc", "did:web:a/b", "did:web:a%3A80", "did:"])
async def test_only_two_kinds_of_did_are_accounts(http: Outbound, did: str) -> None:
    with pytest.raises(InvalidInput):
        await Identities(http, _settings("http://127.0.0.1:9")).find(did)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(404), NotFound),
        (answer(410), NotFound),
        (answer(500), Unavailable),
        (answer(200, b"no json"), BadAnswer),
        (answer(200, b"[]"), BadAnswer),
        (_document(id="did:plc:" + "b" * 24), BadAnswer),
        (_document(service=[]), NotFound),
        (_document(service="x"), NotFound),
        (_document(service=[PDS | {"type": "Else"}]), NotFound),
        (_document(service=[PDS | {"serviceEndpoint": {"no": 1}}]), NotFound),
    ],
)
async def test_a_document_that_is_none(http: Outbound, said: bytes, error: type[Exception]) -> None:
    async with scripted(said) as plc:
        with pytest.raises(error) as raised:
            await Identities(http, _settings(plc.url, plc.url)).find(DID)
    assert type(raised.value) is error


async def test_a_handle_that_does_not_lead_back_is_not_believed(http: Outbound) -> None:
    """Somebody calls themselves alice.test, who is somebody else."""
    alice = json.dumps({"did": "did:plc:" + "b" * 24}).encode()
    async with scripted(_document()) as plc, scripted(answer(200, alice)) as handles:
        found = await Identities(http, _settings(plc.url, handles.url)).find(DID)
    assert found == Identity(DID, UNKNOWN_HANDLE, "https://pds.example.com")


async def test_a_handle_whose_account_calls_itself_otherwise_is_refused(http: Outbound) -> None:
    bob = answer(200, json.dumps({"did": DID}).encode())
    async with scripted(_document()) as plc, scripted(bob) as handles:
        with pytest.raises(InvalidInput, match="does not call itself so"):
            await Identities(http, _settings(plc.url, handles.url)).find("bob.test")


async def test_dns_says_who_has_a_handle(http: Outbound) -> None:
    names = {
        "_atproto.alice.test": ["unrelated", f"did={DID}"],
        "_atproto.two.test": [f"did={DID}", "did=did:plc:" + "b" * 24],
        "_atproto.long.test": ["did=" + "did:web:" + "a" * 300],
    }
    async with scripted(_document()) as plc, nameserver(names) as port:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
        identities = Identities(http, _settings(plc.url), resolver)
        assert (await identities.find("alice.test")).did == DID
        with pytest.raises(InvalidInput, match="several accounts"):
            await identities.find("two.test")
        with pytest.raises(InvalidInput):
            await identities.find("long.test")
        # No such name, and no website either.
        with pytest.raises(NotFound):
            await identities.find("nobody.test")


async def test_a_silent_dns_is_not_the_same_as_nobody(http: Outbound) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], free_port()
    with pytest.raises(Unavailable, match="DNS"):
        await Identities(http, _settings("http://127.0.0.1:9"), resolver).find("alice.test")
