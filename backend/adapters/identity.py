"""Who somebody is: from a handle or a DID to the DID, the handle that is truly theirs, and their server.

https://atproto.com/specs/handle and https://atproto.com/specs/did
"""

import re
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from backend.adapters.outbound import Answer, Outbound
from backend.adapters.xrpc import Xrpc
from backend.errors import BadAnswer, InvalidInput, NotFound, Refused, Unavailable, UnsafeAddress
from backend.settings.network import NetworkSettings

DNS_TIMEOUT_S = 5.0
DOCUMENT_BYTES = 200_000
UNKNOWN_HANDLE = "handle.invalid"
HANDLE = re.compile(r"(?=.{3,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = ("alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion")
PLC = re.compile(r"did:plc:[a-z2-7]{24}")
WEB = re.compile(r"did:web:(?P<host>[A-Za-z0-9.-]{1,253})")


@dataclass(frozen=True)
class Identity:
    """An account of the network. `handle` is `handle.invalid` when the one it claims does not lead back to it."""

    did: str
    handle: str
    pds_url: str


class Identities:
    """Looks accounts up. One for each piece of work; nothing is kept."""

    def __init__(
        self, http: Outbound, settings: NetworkSettings, resolver: dns.asyncresolver.Resolver | None = None
    ) -> None:
        self._http = http
        self._settings = settings
        self._resolver = resolver

    async def find(self, text: str) -> Identity:
        """The account behind a handle (with or without @) or a DID.

        Raises InvalidInput when it is neither, NotFound when nobody is there, Unavailable when that cannot be told now.
        """
        if text.startswith("did:"):
            return await self._by_did(text)
        handle = checked_handle(text, self._settings.outbound_private)
        did = await self.did_of(handle)
        if did is None:
            raise NotFound(f"nobody has the handle {handle}", field="identifier")
        document = await self._document(did)
        if handle not in _handles(document):
            raise InvalidInput(f"{handle} leads to {did}, which does not call itself so", field="identifier")
        return Identity(did, handle, _pds(document))

    async def _by_did(self, did: str) -> Identity:
        document = await self._document(did)
        claimed = next(iter(_handles(document)), None)
        proven = claimed is not None and HANDLE.fullmatch(claimed) and await self.did_of(claimed) == did
        return Identity(did, claimed if claimed and proven else UNKNOWN_HANDLE, _pds(document))

    async def did_of(self, handle: str) -> str | None:
        """The DID that a handle leads to, or None. Raises Unavailable when that cannot be told now."""
        if self._settings.atproto_handle_url is not None:
            return await self._ask(self._settings.atproto_handle_url, handle)
        found, silent = None, None
        try:
            found = await self._by_dns(handle)
        except Unavailable as error:
            silent = error
        if found is None:
            found = await self._by_website(handle)
        if found is None and silent is not None:
            raise silent
        return found

    async def _ask(self, service: str, handle: str) -> str | None:
        try:
            found = await Xrpc(self._http, service).query("com.atproto.identity.resolveHandle", handle=handle)
        except Refused:
            return None
        return str(found.get("did"))

    async def _by_dns(self, handle: str) -> str | None:
        resolver = self._resolver or dns.asyncresolver.Resolver()
        try:
            answers = await resolver.resolve(f"_atproto.{handle}", "TXT", lifetime=DNS_TIMEOUT_S)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.DNSException as error:
            raise Unavailable(f"DNS does not say who {handle} is: {type(error).__name__}") from None
        texts = {b"".join(record.strings).decode("utf-8", "replace") for record in answers}
        dids = {text.removeprefix("did=") for text in texts if text.startswith("did=")}
        if len(dids) > 1:
            raise InvalidInput(f"DNS names several accounts for {handle}", field="identifier")
        return next(iter(dids), None)

    async def _by_website(self, handle: str) -> str | None:
        try:
            answer = await self._http.fetch("GET", f"https://{handle}/.well-known/atproto-did", limit=2048, follow=True)
        except (Unavailable, UnsafeAddress):
            return None  # most handles have no website
        did = answer.body.decode("utf-8", "replace").strip()
        return did if answer.status == 200 and did.startswith("did:") else None

    async def _document(self, did: str) -> dict[str, Any]:
        if PLC.fullmatch(did):
            url = f"{self._settings.atproto_plc_url}/{did}"
        elif web := WEB.fullmatch(did):
            url = f"https://{web['host']}/.well-known/did.json"
        else:
            raise InvalidInput(f"{did[:100]!r} is neither a did:plc nor a did:web", field="identifier")
        answer = await self._http.fetch("GET", url, limit=DOCUMENT_BYTES, follow=True)
        document = _readable(did, answer)
        if document.get("id") != did:
            raise BadAnswer(f"the document of {did} is somebody else's")
        return document


def checked_handle(text: str, development: bool) -> str:
    """A handle in lower case, without @. Raises InvalidInput, saying what is wrong with it."""
    handle = text.strip().removeprefix("@").lower()
    if not HANDLE.fullmatch(handle):
        raise InvalidInput(
            f"{text[:100]!r} is no handle: write it like alice.example.com, or give a DID", field="identifier"
        )
    ending = handle.rpartition(".")[2]
    if ending in RESERVED or (ending == "test" and not development):
        raise InvalidInput(f"handles do not end in .{ending}", field="identifier")
    return handle


def _readable(did: str, answer: Answer) -> dict[str, Any]:
    if answer.status in (404, 410):
        raise NotFound(f"nobody has {did}, or nobody has it any more", field="identifier")
    if answer.status != 200:
        raise Unavailable(f"the document of {did} is not to be had: status {answer.status}")
    document = answer.json()
    if not isinstance(document, dict):
        raise BadAnswer(f"the document of {did} is no object")
    return document


def _handles(document: dict[str, Any]) -> list[str]:
    names = document.get("alsoKnownAs")
    found = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [name.removeprefix("at://").lower() for name in found if name.startswith("at://")]


def _pds(document: dict[str, Any]) -> str:
    services = document.get("service")
    for service in services if isinstance(services, list) else []:
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            url = service.get("serviceEndpoint")
            if service.get("type") == "AtprotoPersonalDataServer" and isinstance(url, str):
                return url.rstrip("/")
    raise NotFound(f"{document.get('id')} names no personal data server", field="identifier")
