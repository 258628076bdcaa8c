"""One server, one browser and one track for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import audio
from tests.browser.chromium import chromium
from tests.browser.server import BacklineServer, Json, is_whole
from tests.servers import NoServer

HOSTILE = "<script>document.title='owned'</script> \"quoted\" 'n' &amp; \u202e\u05e9\u05dc\u05d5\u05dd\nnext line"
SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[BacklineServer]:
    """A running server."""
    with BacklineServer() as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    try:
        with chromium() as started:
            yield started
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def track(server: BacklineServer, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A track of 20 seconds that plays, with a title that means harm."""
    file = audio.loud_then_quiet(tmp_path_factory.mktemp("sound") / "sound.flac", SECONDS)
    made = server.upload(file.read_bytes(), "sound.flac", title=HOSTILE, artist="<b>Nina</b>")
    return server.track_when(made["track"]["id"], is_whole)


@pytest.fixture
def page(browser: Browser, server: BacklineServer) -> Iterator[Page]:
    """A fresh page. A script error, or anything its policy forbids, fails the test."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1100, "height": 800})
    opened, wrong = context.new_page(), []
    opened.set_default_timeout(20_000)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    """Two seconds of a tone."""
    return audio.tone(tmp_path / "tone.wav", 2.0).read_bytes()
