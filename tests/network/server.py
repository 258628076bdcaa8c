"""The network as one server: a PLC directory and a PDS, with accounts that can sign in."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from tests.network.install import Node, find_node, install
from tests.servers import Server, free_port

SCRIPT = Path(__file__).with_name("network.js")
HANDLES = ("alice.test", "bob.test")
PASSWORD = "correct-horse-battery"
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Account:
    """Somebody who lives on the PDS."""

    did: str
    handle: str
    password: str


class NetworkServer(Server):
    """PLC and PDS in one Node process. Everything is in memory or in the server's directory, and gone with it."""

    name = "network"
    patience_s = 90.0  # it imports hundreds of packages

    def __init__(
        self,
        *,
        plc_port: int | None = None,
        pds_port: int | None = None,
        public_port: int | None = None,
        authority: str | None = None,
    ) -> None:
        self._node: Node = find_node()
        self._modules = install(self._node)
        super().__init__()
        self.port = pds_port or self.port
        self._authority = authority  # a certificate (PEM): whose word the PDS takes for names under backline.fm
        self.public_port = public_port or self.port
        self._plc_port = plc_port or free_port()
        self.accounts: dict[str, Account] = {}
        self._admin_password = secrets.token_hex(16)

    @property
    def pds_url(self) -> str:
        """The personal data server, by the address that it gives others."""
        return f"http://localhost:{self.public_port}"

    @property
    def firehose_url(self) -> str:
        """Where the personal data server tells of everything that happens on it."""
        return f"ws://localhost:{self.port}/xrpc/com.atproto.sync.subscribeRepos"

    @property
    def behind(self) -> str:
        """The personal data server itself, when a proxy is at its public address."""
        return f"http://localhost:{self.port}"

    @property
    def plc_url(self) -> str:
        """The directory of identities."""
        return f"http://localhost:{self._plc_port}"

    @property
    def alice(self) -> Account:
        """alice.test"""
        return self.accounts["alice.test"]

    @property
    def bob(self) -> Account:
        """bob.test"""
        return self.accounts["bob.test"]

    def start(self) -> Self:
        """Start both, and let alice.test and bob.test move in."""
        super().start()
        for handle in HANDLES:
            self.add(handle)
        return self

    def add(self, handle: str) -> Account:
        """A new account, for a test that spoils it."""
        body = {"handle": handle, "email": f"{handle}@example.com", "password": PASSWORD}
        made = httpx.post(f"{self.behind}/xrpc/com.atproto.server.createAccount", json=body, timeout=TIMEOUT_S)
        made.raise_for_status()
        self.accounts[handle] = Account(made.json()["did"], handle, PASSWORD)
        return self.accounts[handle]

    def delete(self, account: Account) -> None:
        """The account is no more, as when its owner deleted it."""
        auth = ("admin", self._admin_password)
        with httpx.Client(base_url=f"{self.behind}/xrpc/", timeout=TIMEOUT_S, auth=auth) as client:
            client.post("com.atproto.admin.deleteAccount", json={"did": account.did}).raise_for_status()

    def app_password(self, account: Account, privileged: bool = False) -> str:
        """A new app password of this account. A privileged one may also write direct messages."""
        with httpx.Client(base_url=f"{self.behind}/xrpc/", timeout=TIMEOUT_S) as client:
            body = {"identifier": account.did, "password": account.password}
            session = client.post("com.atproto.server.createSession", json=body).raise_for_status().json()
            made = client.post(
                "com.atproto.server.createAppPassword",
                json={"name": secrets.token_hex(6), "privileged": privileged},
                headers={"Authorization": f"Bearer {session['accessJwt']}"},
            )
        return str(made.raise_for_status().json()["password"])

    def _command(self) -> list[str]:
        options = {
            "modules": str(self._modules),
            "directory": str(self.directory),
            "plcPort": self._plc_port,
            "pdsPort": self.port,
            "publicPort": self.public_port,
            "authority": self._authority,
            "secrets": {
                "adminPassword": self._admin_password,
                "jwtSecret": secrets.token_hex(16),
                "plcRotationKeyK256PrivateKeyHex": f"{secrets.randbits(255) + 1:064x}",
            },
        }
        return [str(self._node.program), str(SCRIPT), json.dumps(options)]

    def _answers(self) -> bool:
        try:
            return all(
                httpx.get(url, timeout=2).status_code == 200
                for url in (f"{self.plc_url}/_health", f"{self.behind}/xrpc/_health")
            )
        except httpx.TransportError:
            return False
