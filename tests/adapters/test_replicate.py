"""Replicate is asked, asked again while it is cold, and given up when it takes too long."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend.adapters import replicate
from backend.adapters.replicate import Prediction
from backend.errors import BacklineError, BadAnswer, Misconfigured, RateLimited, Refused, Unavailable
from backend.settings import get_settings
from tests.conftest import set_environment
from tests.doubles import Services
from tests.doubles import services as services

INPUTS: dict[str, object] = {"audio": "https://cdn.example/a.flac"}


async def test_a_cold_model_is_asked_until_it_answers(services: Services) -> None:
    asked = await replicate.ask("model", INPUTS)
    assert asked.status == "starting"
    ended = await replicate.answered(asked, 10)
    assert ended.status == "succeeded"
    assert "Electronic---Ambient" in await replicate.output_of(ended)
    assert [each["method"] for each in services.replicate.asked] == ["POST", "GET", "GET", "GET", "GET"]


async def test_a_warm_model_is_asked_once(services: Services) -> None:
    services.replicate.answer_next(201, {"id": "p", "status": "succeeded", "output": {"Jazz": 0.5}})
    ended = await replicate.answered(await replicate.ask("model", INPUTS), 10)
    assert await replicate.output_of(ended) == {"Jazz": 0.5}
    assert len(services.replicate.asked) == 1


async def test_a_question_without_answer_is_given_up(services: Services) -> None:
    asked = await replicate.ask("model", INPUTS)
    for _ in range(40):
        services.replicate.answer_next(200, {"id": asked.id, "status": "processing"})
    with pytest.raises(Unavailable, match=r"no answer within 0\.1 s"):
        await replicate.answered(asked, 0.1)
    assert services.replicate.asked[-1]["path"].endswith(f"/{asked.id}/cancel")


async def test_a_question_that_cannot_be_given_up_has_no_answer_either(services: Services) -> None:
    with pytest.raises(Unavailable, match=r"no answer within 0\.01 s"):
        await replicate.answered(Prediction("unknown", "processing"), 0.01)
    assert services.replicate.asked[-1]["path"].endswith("/unknown/cancel")


@pytest.mark.parametrize("status", ["failed", "canceled", "aborted"])
async def test_an_end_without_success_is_an_outage(services: Services, status: str) -> None:
    with pytest.raises(Unavailable, match=f"ended as {status}: CUDA"):
        await replicate.output_of(Prediction("p", status, error="CUDA is out of memory"))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, Misconfigured),
        (402, {"detail": "no credit"}, Refused),
        (404, {}, Refused),
        (429, {}, RateLimited),
        (500, "oops", Unavailable),
        (201, {"status": "starting"}, BadAnswer),
        (201, "<html>", BadAnswer),
    ],
)
async def test_every_refusal_is_told_apart(
    services: Services, status: int, body: object, kind: type[BacklineError]
) -> None:
    services.replicate.answer_next(status, body)
    with pytest.raises(kind) as failed:
        await replicate.ask("model", INPUTS)
    assert type(failed.value) is kind


async def test_no_answer_in_time_is_an_outage(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, SERVICE_TIMEOUT_S="0.2")
    services.replicate.answer_next(201, {"id": "p", "status": "starting"}, delay_s=1)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await replicate.ask("model", INPUTS)


async def test_a_limit_says_how_long(services: Services) -> None:
    services.replicate.answer_next(429, {}, retry_after="17")
    with pytest.raises(RateLimited) as failed:
        await replicate.ask("model", INPUTS)
    assert failed.value.after == timedelta(seconds=17)


async def test_the_token_goes_to_replicate_only(services: Services) -> None:
    services.webhook.answer_next(200, {"Jazz": 0.5})
    services.replicate.answer_next(200, {"Rock": 0.5})
    for url in (get_settings().alerts.notice_url, get_settings().services.replicate_url):
        address = url if isinstance(url, str) else url.get_secret_value() if url else ""
        assert await replicate.output_of(Prediction("p", "succeeded", address))
    assert (services.webhook.asked[-1]["authorised"], services.replicate.asked[-1]["authorised"]) == (False, True)


async def test_a_wrong_token_is_a_setting(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, REPLICATE_TOKEN="wrong-secret")
    with pytest.raises(Misconfigured, match="set REPLICATE_TOKEN") as failed:
        await replicate.ask("model", INPUTS)
    assert "wrong-secret" not in failed.value.detail


async def test_a_file_is_shared(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.flac"
    file.write_bytes(b"fLaC" * 1000)
    assert (await replicate.share(file)).endswith("/files/file1")
    assert services.replicate.asked[-1]["bytes"] == 4000
    for body in ([], {"urls": {}}):
        services.replicate.answer_next(201, body)
        with pytest.raises(BadAnswer, match="where the file is"):
            await replicate.share(file)
    monkeypatch.setattr(replicate, "FILE_LIMIT", 3999)
    with pytest.raises(Refused, match="keep objects in S3"):
        await replicate.share(file)
