"""`python -m tests.dashboard.screenshots`: the pictures of the desk that the documents show, light, dark and on a phone."""

import io
import sys
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser

from backend.cli.demo_audio import compose
from tests.browser.chromium import chromium
from tests.browser.server import is_whole
from tests.dashboard.conftest import DeskServer
from tests.servers import NoServer

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
SCREENS = (("", 1280, 860, "light"), ("-dark", 1280, 860, "dark"), ("-phone", 390, 844, "light"))
COLOURS = 256


def pages(server: DeskServer) -> dict[str, str]:
    """The pages by name, with something to see on each."""
    server.say("tests.dashboard.history")
    made = server.upload(compose(), "four-chords.wav", title="Four Chords", artist="Backline")
    server.track_when(made["track"]["id"], is_whole)
    server.post("/queues/marketplace/pause")
    httpx.put(f"{server.url}/schedules/tidy_shelves/interval", json={"spec": "every 300"}).raise_for_status()
    server.post("/schedules/tidy_shelves/run")
    broken = server.seed("broken", 3)
    server.seed("slow", 3)
    server.until(lambda: httpx.get(f"{server.url}/runs/{broken[-1]}").json()["state"] == "dead")
    server.post(f"/runs/{broken[1]}/requeue")
    server.until(lambda: len(httpx.get(f"{server.url}/runs/{broken[1]}").json()["attempts"]) == 2)
    paths = {name: name for name in ("runs", "queues", "schedules", "dead", "workers", "logs", "audit", "sign-in")}
    return {"overview": "", "run": f"runs/{broken[1]}", **paths}


def take(browser: Browser, server: DeskServer, shown: dict[str, str]) -> None:
    """Every page on every screen."""
    for ending, width, height, scheme in SCREENS:
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            device_scale_factor=1.5,
        )
        page = context.new_page()
        for name, path in shown.items():
            page.goto(f"/desk/{path}")
            page.locator(".door, .part:not(:empty)").first.wait_for()
            page.wait_for_function("() => [...document.querySelectorAll('time')].every(each => each.title)")
            page.evaluate("document.activeElement?.blur()")
            file = IMAGES / f"desk-{name}{ending}.png"
            # Few colours are on the screen, so few are enough in the file.
            picture = (
                Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
            )
            picture.save(file, optimize=True)
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
        context.close()


def main() -> None:
    """Write every picture into docs/images."""
    try:
        with DeskServer() as server, chromium() as browser:
            take(browser, server, pages(server))
    except NoServer as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
