"""`python -m tests.browser.screenshots`: the pictures of the player page that the documents show.

A real server plays the demo's piece in Chromium; the pictures are what is on the screen after a few seconds.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, expect

from backend.cli.demo_audio import compose
from tests.browser.chromium import chromium
from tests.browser.server import BacklineServer, is_whole
from tests.servers import NoServer

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"


@dataclass(frozen=True)
class Shot:
    """One picture: its file, and the screen it is taken of."""

    name: str
    width: int
    height: int
    scheme: str
    scale: float


SHOTS = (
    Shot("player.png", 1080, 700, "light", 1.5),
    Shot("player-dark.png", 1080, 700, "dark", 1.5),
    Shot("player-phone.png", 390, 844, "light", 1.5),
    Shot("player-phone-dark.png", 390, 844, "dark", 1.5),
)


def take(browser: Browser, url: str, shot: Shot, directory: Path) -> Path:
    """Play a track from its third on, and take its picture."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        device_scale_factor=shot.scale,
        has_touch=shot.width < 500,
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#play")).to_be_enabled(timeout=30_000)
    page.locator("#seek").press("ArrowRight")
    page.locator("#seek").press("ArrowRight")
    page.locator("#play").click()
    page.wait_for_timeout(300)
    expect(page.locator("#elapsed")).to_have_text("0:11", timeout=30_000)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    file = directory / shot.name
    page.screenshot(path=file)
    context.close()
    return file


def main() -> None:
    """Write every picture into docs/images."""
    try:
        with BacklineServer() as server, chromium() as browser:
            made = server.upload(compose(), "four-chords.wav", title="Four Chords", artist="Backline")
            track = server.track_when(made["track"]["id"], is_whole)
            for shot in SHOTS:
                file = take(browser, f"{server.url}/t/{track['id']}", shot, IMAGES)
                print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    except NoServer as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
