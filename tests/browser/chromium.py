"""Chromium for the tests: the one of this machine, started without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.servers import NoServer

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
)  # fmt: skip


def find_chromium() -> Path:
    """TEST_CHROMIUM, or what the machine calls Chromium. Raises NoServer, which says what to install."""
    if given := os.environ.get("TEST_CHROMIUM"):
        if os.access(given, os.X_OK):
            return Path(given)
        raise NoServer(f"TEST_CHROMIUM names {given}, which is no program")
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise NoServer("no Chromium here: `apt-get install chromium`, or name one with TEST_CHROMIUM")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()
