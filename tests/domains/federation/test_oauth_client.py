"""This platform as a client that servers fetch the document of, with keys of its own and without."""

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trustme

from backend.adapters.outbound import outbound
from backend.adapters.xrpc import TokenRefused, Xrpc
from backend.db.session import Database
from backend.domains.federation.grants import refresh_granted, revoke_granted
from backend.domains.federation.oauth_client import metadata, missing_from, this_client
from backend.domains.federation.pds import pds_of
from backend.errors import AuthExpired, Misconfigured, Refused
from tests.adapters.scripted import Scripted, answer, scripted
from tests.conftest import set_environment
from tests.domains.federation.conftest import account_row, oauth_sign_in, spoil_access, tokens_of
from tests.network.faulty import FaultyPds
from tests.network.server import NetworkServer

ONE, TWO = "1" * 32, "2" * 32
SESSION = "com.atproto.server.getSession"


@pytest.fixture
async def published(
    front: FaultyPds, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scripted]:
    """Our document, where the PDS can fetch it under a name and with a certificate. Ask for it before the database."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("music.backline.fm").configure_cert(tls)
    async with scripted(
        lambda path: answer(200, json.dumps(metadata()).encode(), Content_Type="application/json"), tls
    ) as server:
        set_environment(monkeypatch, HTTP_PUBLIC_URL=f"https://music.backline.fm:{server.port}")
        yield server


async def _ask(did: str) -> str:
    async with pds_of(did) as pds:
        return str((await pds.query(SESSION))["handle"])


@pytest.mark.parametrize("keys", [None, ONE])
async def test_a_server_fetches_the_document_and_takes_us_for_it(
    published: Scripted, fronted_network: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch,
    keys: str | None,
) -> None:  # fmt: skip
    set_environment(monkeypatch, OAUTH_KEYS=keys)
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    assert published.paths == ["/oauth/client-metadata.json"]
    tokens = await tokens_of(did)
    assert tokens.grant is not None
    assert (tokens.grant.client_id, tokens.grant.signer is None) == (this_client().id, keys is None)
    await spoil_access(did)
    assert await _ask(did) == "alice.test"
    tokens = await tokens_of(did)
    async with outbound() as http:
        await revoke_granted(http, tokens)
        assert tokens.grant is not None
        with pytest.raises(TokenRefused):
            await Xrpc(http, fronted_network.pds_url, tokens.access, tokens.grant.key).query(SESSION)


async def test_without_its_key_nobody_passes_for_us(
    published: Scripted, fronted_network: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, OAUTH_KEYS=f"{ONE},{TWO}")
    did = fronted_network.alice.did
    await oauth_sign_in(fronted_network, fronted_network.alice)
    tokens = await tokens_of(did)
    assert tokens.grant is not None
    async with outbound() as http:
        with pytest.raises(Refused, match="client_assertion"):
            await refresh_granted(http, did, tokens.refresh, replace(tokens.grant, signer=None))
    assert await _ask(did) == "alice.test"


async def test_keys_are_changed_while_sign_ins_go_on(
    published: Scripted, fronted_network: NetworkServer, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, OAUTH_KEYS=f"{ONE},{TWO}")
    alice, bob = fronted_network.alice, fronted_network.bob
    await oauth_sign_in(fronted_network, alice)
    set_environment(monkeypatch, OAUTH_KEYS=f"{TWO},{ONE}")
    await oauth_sign_in(fronted_network, bob)
    for did in (alice.did, bob.did):
        await spoil_access(did)
    assert (await _ask(alice.did), await _ask(bob.did)) == ("alice.test", "bob.test")
    signers = [
        tokens.grant and tokens.grant.signer for tokens in (await tokens_of(alice.did), await tokens_of(bob.did))
    ]
    assert len(set(signers)) == 2
    set_environment(monkeypatch, OAUTH_KEYS=TWO)
    for did in (alice.did, bob.did):
        await spoil_access(did)
    assert await _ask(bob.did) == "bob.test"
    with pytest.raises(AuthExpired, match="OAUTH_KEYS"):
        await _ask(alice.did)
    assert (await account_row(alice.did)).state == "expired"


def test_the_document_shows_public_halves_only(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, HTTP_PUBLIC_URL="https://music.example.com", OAUTH_KEYS=f"{ONE},{TWO}")
    shown = metadata()
    assert (shown["token_endpoint_auth_method"], shown["token_endpoint_auth_signing_alg"]) == (
        "private_key_jwt",
        "ES256",
    )
    keys = shown["jwks"]["keys"]  # type: ignore[index]
    assert [set(key) for key in keys] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}] * 2
    set_environment(monkeypatch, OAUTH_KEYS=None)
    assert (metadata()["token_endpoint_auth_method"], "jwks" in metadata()) == ("none", False)


@pytest.mark.parametrize("public", ["http://music.example.com", "https://music.example.com:8443"])
def test_an_address_that_servers_do_not_take(monkeypatch: pytest.MonkeyPatch, public: str) -> None:
    set_environment(monkeypatch, HTTP_PUBLIC_URL=public)
    with pytest.raises(Misconfigured, match="without a port") as refused:
        this_client()
    assert refused.value.field == "HTTP_PUBLIC_URL"


def test_a_short_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, OAUTH_KEYS=f"{ONE},very-short")
    with pytest.raises(Misconfigured, match="OAUTH_KEYS: each key needs") as refused:
        this_client()
    assert "very-short" not in str(refused.value)


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ("{all}", []),
        ("atproto repo:* blob:*/*", []),
        ("repo:* blob:audio/*", ["atproto"]),
        ("atproto repo:*", ["blob:audio/*"]),
        ("atproto repo:* blob:image/*", ["blob:audio/*"]),
        ("atproto repo:*?action=create&action=update blob:*/*", None),
        ("atproto", None),
        ("", None),
    ],
)
def test_what_a_sign_in_must_allow(granted: str, missing: list[str] | None) -> None:
    asked = this_client().scope
    found = missing_from(granted.replace("{all}", asked))
    if missing is None:
        # Every collection: to create and to update is not enough, since records are deleted as well.
        assert [each for each in found if each.startswith("repo:")] == [
            each for each in asked.split() if each.startswith("repo:")
        ]
    else:
        assert found == missing
