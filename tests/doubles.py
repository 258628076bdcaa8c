"""The doubles of services outside, running in the test's own loop, with the settings that lead to them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from backend.adapters import doubles, replicate
from backend.adapters.doubles import Double
from backend.api.serving import serving
from backend.cli.fakes import settings_for
from tests.conftest import set_environment


@dataclass(frozen=True)
class Services:
    """The running doubles, and where they are."""

    audd: Double
    replicate: Double
    labeler: Double
    webhook: Double
    labeler_url: str

    @property
    def notices(self) -> list[dict[str, object]]:
        """What the webhook was told."""
        return [asked["notice"] for asked in self.webhook.asked if "notice" in asked]


@pytest.fixture
async def services(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    """All doubles, which the settings lead to. Polls are quick."""
    monkeypatch.setattr(replicate, "POLL_S", 0.02)
    made = [doubles.audd(), doubles.replicate(), doubles.labeler(), doubles.webhook()]
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(double)) for double in made]
        set_environment(monkeypatch, **settings_for(*urls))
        yield Services(*made, labeler_url=urls[2])
