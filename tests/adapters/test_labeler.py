"""A labeler's statements are read to the last page, and of each only the newest counts."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from backend.adapters.doubles import Double
from backend.adapters.labeler import PAGE, Label, latest, query_labels
from backend.errors import BacklineError, BadAnswer, Misconfigured, RateLimited, Refused, Unavailable
from tests.conftest import set_environment
from tests.doubles import Services
from tests.doubles import services as services

URI = "at://did:plc:a/fm.example.track/1"
VAL = "copyright-violation"


async def state(services: Services, **label: object) -> None:
    async with httpx.AsyncClient() as client:
        sent = await client.post(f"{services.labeler_url}/labels", json={"uri": URI, "val": VAL, **label})
    assert sent.status_code == 200


async def test_all_pages_are_read(services: Services) -> None:
    for number in range(PAGE + 3):
        await state(services, val=f"v{number}")
    found = await query_labels([URI])
    assert [label.val for label in found] == [f"v{number}" for number in range(PAGE + 3)]
    assert len([asked for asked in services.labeler.asked if asked["method"] == "GET"]) == 2


async def test_only_these_subjects_by_these_sources(services: Services) -> None:
    await state(services, src="did:plc:one")
    await state(services, src="did:plc:two", neg=True, exp="2030-01-01T00:00:00Z")
    await state(services, uri=f"{URI}2")
    [found] = await query_labels([URI], ["did:plc:two"])
    assert (found.src, found.neg, found.exp) == ("did:plc:two", True, datetime(2030, 1, 1, tzinfo=UTC))
    assert len(await query_labels([URI])) == 2
    assert await query_labels([]) == []


async def test_many_subjects_are_asked_for_in_parts(services: Services) -> None:
    uris = [f"{URI}{number}" for number in range(60)]
    for uri in uris[::20]:
        await state(services, uri=uri)
    assert [label.uri for label in await query_labels(uris)] == uris[::20]


def test_the_newest_of_each_counts() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    said = [
        Label("a", URI, VAL, moment),
        Label("a", URI, VAL, moment + timedelta(hours=2)),
        Label("a", URI, VAL, moment + timedelta(hours=1), neg=True),
        Label("b", URI, VAL, moment, neg=True),
        Label("a", URI, "other", moment),
    ]
    assert latest(said) == [said[1], said[3], said[4]]
    assert latest(reversed(said))[-1] in said


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {}, RateLimited),
        (503, {}, Unavailable),
        (400, {"error": "InvalidRequest"}, Refused),
        (200, {}, BadAnswer),
        (200, {"labels": [{"uri": URI}]}, BadAnswer),
        (200, {"labels": [{"uri": URI, "src": "d", "val": "v", "cts": "yesterday"}]}, BadAnswer),
        (200, {"labels": [{"uri": URI, "src": ["d"], "val": "v", "cts": "2026-01-01T00:00:00Z"}]}, BadAnswer),
        (200, {"labels": ["label"]}, BadAnswer),
        (200, "<html>", BadAnswer),
    ],
)
async def test_an_outage_is_not_an_empty_answer(
    services: Services, status: int, body: object, kind: type[BacklineError]
) -> None:
    services.labeler.answer_next(status, body)
    with pytest.raises(kind) as failed:
        await query_labels([URI])
    assert type(failed.value) is kind


async def test_no_answer_in_time_is_an_outage(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SERVICE_TIMEOUT_S="0.2")
    services.labeler.answer_next(200, {"labels": []}, delay_s=1)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await query_labels([URI])


async def test_a_labeler_that_goes_in_circles_comes_to_an_end(services: Services) -> None:
    double: Double = services.labeler
    label = {"uri": URI, "src": "d", "val": "v", "cts": "2026-01-01T00:00:00Z"}
    for _ in range(3):
        double.answer_next(200, {"labels": [label], "cursor": "same"})
    assert len(await query_labels([URI])) == 2


async def test_without_a_labeler_nobody_is_asked(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, LABELER_URL=None)
    with pytest.raises(Misconfigured, match="set LABELER_URL"):
        await query_labels([URI])
