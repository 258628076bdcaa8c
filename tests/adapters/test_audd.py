"""AuDD is asked with an address or a file; what it finds and what it refuses is told apart."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend.adapters.audd import Match, recognise
from backend.adapters.doubles import audd_found
from backend.errors import BacklineError, BadAnswer, Misconfigured, RateLimited, Refused, Steer, Unavailable
from tests.conftest import set_environment
from tests.doubles import Services
from tests.doubles import services as services

ADDRESS = "https://cdn.example/a.flac"


async def test_an_address_is_handed_on_and_a_file_is_sent(services: Services, tmp_path: Path) -> None:
    assert await recognise(ADDRESS) == []
    file = tmp_path / "original.flac"
    file.write_bytes(bytes(range(256)) * 4000)
    assert await recognise(file) == []
    assert [asked.get("url") for asked in services.audd.asked] == [ADDRESS, None]
    assert services.audd.asked[1]["bytes"] == 1_024_000


async def test_matches_have_a_name_and_a_place(services: Services) -> None:
    services.audd.answer_next(200, audd_found(("Nina", "Blue"), ("Nina", "Blue")))
    found = await recognise(ADDRESS)
    assert found == [Match("Nina", "Blue", place, link="https://lis.tn/double") for place in ("00:00", "00:12")]


async def test_one_song_without_a_group_is_a_match(services: Services) -> None:
    song = {"artist": "Nina", "title": "Blue", "album": "Hours", "isrc": "X1", "label": "L", "timecode": "00:40"}
    services.audd.answer_next(200, {"status": "success", "result": song})
    services.audd.answer_next(200, {"status": "success", "result": None})
    assert await recognise(ADDRESS) == [Match("Nina", "Blue", "00:40", "Hours", "X1", "L")]
    assert await recognise(ADDRESS) == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, {"status": "error", "error": {"error_code": 900, "error_message": "wrong"}}, Misconfigured, "AUDD_TOKEN"),
        (200, {"status": "error", "error": {"error_code": 902, "error_message": "limit"}}, RateLimited, "limit"),
        (200, {"status": "error", "error": {"error_code": 600, "error_message": "bad URL"}}, Refused, "bad URL"),
        (200, {"status": "error", "error": {"error_code": 19, "error_message": "inside"}}, Unavailable, "error 19"),
        (200, {"status": "error"}, Unavailable, "said nothing"),
        (200, {"status": "error", "error": {"error_code": [900]}}, Unavailable, "said nothing"),
        (200, {"status": "maybe"}, BadAnswer, "neither"),
        (200, [], BadAnswer, "neither"),
        (200, "<html>", BadAnswer, "no JSON"),
        (200, {"status": "success", "result": "many"}, BadAnswer, "no list"),
        (200, {"status": "success", "result": [{"offset": "00:00", "songs": [{}]}]}, BadAnswer, "without a name"),
        (200, {"status": "success", "result": [{"offset": "00:00", "songs": None}]}, BadAnswer, "no list"),
        (401, {}, Misconfigured, "AUDD_TOKEN"),
        (413, "too big", Refused, "413: too big"),
        (500, "oops", Unavailable, "500: oops"),
    ],
)
async def test_every_refusal_is_told_apart(
    services: Services, status: int, body: object, kind: type[BacklineError], words: str
) -> None:
    services.audd.answer_next(status, body)
    with pytest.raises(kind, match=words) as failed:
        await recognise(ADDRESS)
    assert type(failed.value) is kind
    assert "double" not in failed.value.detail  # the token


async def test_a_limit_says_how_long(services: Services) -> None:
    services.audd.answer_next(429, {}, retry_after="17")
    with pytest.raises(RateLimited) as failed:
        await recognise(ADDRESS)
    assert failed.value.after == timedelta(seconds=17)
    assert failed.value.steer is Steer.RETRY


async def test_no_answer_in_time_is_an_outage(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SERVICE_TIMEOUT_S="0.2")
    services.audd.answer_next(200, audd_found(("Nina", "Blue")), delay_s=1)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        await recognise(ADDRESS)


async def test_what_opens_a_link_is_not_repeated(services: Services) -> None:
    said = f"cannot fetch {ADDRESS}?X-Amz-Signature=secret&X-Amz-Expires=7200 (403)"
    services.audd.answer_next(200, {"status": "error", "error": {"error_code": 600, "error_message": said}})
    services.audd.answer_next(400, said)
    for _ in range(2):
        with pytest.raises(Refused, match="cannot fetch") as failed:
            await recognise(ADDRESS)
        assert f"{ADDRESS}?… (403)" in failed.value.detail
        assert "secret" not in failed.value.detail


async def test_nobody_there_is_an_outage(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, AUDD_URL="http://127.0.0.1:9/")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await recognise(ADDRESS)


async def test_without_a_token_nobody_is_asked(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, AUDD_TOKEN=None)
    with pytest.raises(Misconfigured, match="set AUDD_TOKEN"):
        await recognise(ADDRESS)
    assert not services.audd.asked
