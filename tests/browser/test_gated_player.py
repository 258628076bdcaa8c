"""A gated track in Chromium: its owner hears it by signed links, and others are told why they do not."""

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.server import BacklineServer, Json
from tests.browser.test_player import AT, until
from tests.storage.moto import MotoServer

pytestmark = pytest.mark.timeout(300)

ALICE = "did:plc:alice"


class OnS3(BacklineServer):
    """A server whose objects lie in an S3 service, which browsers call under another origin."""

    moto: MotoServer

    @classmethod
    def on(cls, moto: MotoServer) -> "OnS3":
        """A server on this service, with buckets of its own."""
        for bucket in ("private", "public"):
            moto.make_bucket(f"backline-{bucket}")
        made = cls()
        made.moto = moto
        return made

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        return super().environment | {
            "STORAGE_BACKEND": "s3",
            "STORAGE_ENDPOINT": self.moto.url,
            "STORAGE_REGION": "us-east-1",
            "STORAGE_ACCESS_KEY_ID": "tester",
            "STORAGE_SECRET_ACCESS_KEY": "tester-secret",
        }


@pytest.fixture(scope="module", params=["local", "s3"])
def server(request: pytest.FixtureRequest) -> Iterator[BacklineServer]:
    """A running server, on each kind of store."""
    if request.param == "local":
        with BacklineServer() as started:
            yield started
        return
    with MotoServer() as moto, OnS3.on(moto) as started:
        yield started


def sign_in(server: BacklineServer) -> str:
    """A token of Alice's, opened on the terminal."""
    command = [sys.executable, "-m", "backend.cli", "sign-ins", "open", ALICE]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    [token] = [word for word in done.stdout.split() if len(word) >= 43]
    return token


def gated(server: BacklineServer, sound: bytes, headers: dict[str, str]) -> Json:
    made = server.upload(sound, "tone.wav", headers=headers)
    track = server.track_when(made["track"]["id"], lambda track: track["version"]["status"] == "ready")
    here = f"{server.url}/tracks/{track['id']}"
    httpx.patch(here, json={"gated": True}, headers=headers).raise_for_status()
    moves = f"{server.url}/runs?task=move_audio&state=succeeded"
    server.until(lambda: httpx.get(moves).json()["items"] != [])
    return track


def test_its_owner_hears_it_and_others_are_told(page: Page, server: BacklineServer, sound: bytes) -> None:
    token = sign_in(server)
    track = gated(server, sound, {"Authorization": f"Bearer {token}"})
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"/t/{track['id']}")
    expect(page.locator("#trouble")).to_contain_text("Only its owner may hear this track")
    expect(page.locator("#play")).to_be_disabled()
    assert not any("/hls/" in url or "/objects/" in url for url in fetched)
    page.context.add_cookies([{"name": "backline_sign_in", "value": token, "url": server.url}])
    page.reload()
    expect(page.locator("#play")).to_be_enabled()
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 1")
    segments = [urlsplit(url) for url in fetched if ".m4s" in url]
    assert segments
    if isinstance(server, OnS3):
        assert {f"{each.scheme}://{each.netloc}" for each in segments} == {server.moto.url}
        assert all("X-Amz-Signature=" in each.query for each in segments)
    else:
        assert all(each.path.startswith("/objects/private/") and "signature=" in each.query for each in segments)
