"""What all pages of the desk have in common, in Chromium: keys, theme, a phone's width, no other server."""

import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import DeskServer, IdleServer

pytestmark = pytest.mark.timeout(280)
ROOMS = ("", "runs", "queues", "schedules", "dead", "workers", "logs", "audit")


def test_keys_go_everywhere(page: Page) -> None:
    page.goto("/desk/")
    for key, room in (
        ("q", "queues"),
        ("s", "schedules"),
        ("d", "dead"),
        ("w", "workers"),
        ("l", "logs"),
        ("a", "audit"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/desk/{room}")
        expect(page.locator("a.room[aria-current]")).to_have_attribute("data-room", room)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator(".search input")).to_be_focused()
    page.keyboard.type("g q")  # no shortcut while one types
    expect(page.locator(".search input")).to_have_value("g q")


def test_the_theme_follows_the_system_until_one_is_chosen(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    page.goto("/desk/")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.keyboard.press("t")  # light, whatever the system says
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("room", ROOMS)
def test_a_phone_shows_it_all(page: Page, server: DeskServer, room: str) -> None:
    server.seed("broken")
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.set_viewport_size({"width": 360, "height": 760})
    page.goto(f"/desk/{room}")
    expect(page.locator(".who")).to_contain_text("anyone on this machine")
    page.wait_for_function(
        "() => window.desk && document.querySelector('time[title]') || document.querySelector('.part')"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert asked == {urlsplit(server.url).netloc}


def test_a_run_that_is_not_there_is_told(page: Page) -> None:
    page.goto("/desk/runs/01890000-0000-7000-8000-000000000000")
    expect(page.locator(".part-error")).to_contain_text("no run has the id")


def test_what_is_wrong_at_large_is_said(browser: Browser, idle: IdleServer) -> None:
    idle.seed("broken")
    context = browser.new_context(base_url=idle.url)
    for room in ("", "queues"):
        page = context.new_page()
        page.goto(f"/desk/{room}")
        expect(page.locator(".banner", has_text="Nobody consumes curation")).to_be_visible(timeout=20_000)
        expect(page.locator(".banner", has_text="Redis is not durable")).to_be_visible(timeout=20_000)
    context.close()


def test_a_page_outlives_the_server(page: Page, server: DeskServer) -> None:
    page.goto("/desk/queues")
    expect(page.locator(".part-queues tr", has_text="media")).to_be_visible()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10  # an open page holds nothing up
    expect(page.get_by_text("Connection lost")).to_be_visible(timeout=20_000)
    server.start()
    server.post("/queues/analytics/pause")
    expect(page.locator(".banner", has_text="analytics is paused")).to_be_visible(timeout=60_000)
