"""Replicate: a model is asked, answers at once when it is warm, and is asked again until it has (replicate.com/docs)."""

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.adapters.outbound import outbound
from backend.adapters.services import ANSWER_LIMIT, check, chosen_service, quoted, upload_form
from backend.errors import BacklineError, BadAnswer, Misconfigured, Refused, Unavailable
from backend.settings import get_settings

logger = logging.getLogger(__name__)

POLL_S = 2.0
FILE_LIMIT = 100_000_000  # what /files takes
ENDED = ("succeeded", "failed", "canceled", "aborted")


@dataclass(frozen=True)
class Prediction:
    """A question to a model. `status` is starting, processing, or one of `ENDED`."""

    id: str
    status: str
    output: Any = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ENDED


async def ask(model: str, inputs: dict[str, object]) -> Prediction:
    """Put a question to a version of a model; it waits up to a minute for the answer.

    Raises Misconfigured for a missing or refused REPLICATE_TOKEN, RateLimited, Unavailable, Refused, BadAnswer.
    """
    return _prediction(await _call("POST", "/predictions", {"version": model, "input": inputs}, Prefer="wait"))


async def look(prediction_id: str) -> Prediction:
    """How a question stands. Raises Refused when there is none such, and as `ask` does."""
    return _prediction(await _call("GET", f"/predictions/{prediction_id}"))


async def cancel(prediction_id: str) -> None:
    """Give a question up, so that it costs nothing more. Raises as `ask` does."""
    await _call("POST", f"/predictions/{prediction_id}/cancel")


async def answered(prediction: Prediction, patience_s: float) -> Prediction:
    """The question once it has ended. After `patience_s` it is given up. Raises Unavailable then, and as `look` does."""
    try:
        async with asyncio.timeout(patience_s):
            while not prediction.ended:
                await asyncio.sleep(POLL_S)
                prediction = await look(prediction.id)
    except TimeoutError:
        await _give_up(prediction.id)
        raise Unavailable(f"Replicate's model gave no answer within {patience_s:g} s") from None
    return prediction


async def _give_up(prediction_id: str) -> None:
    try:
        await cancel(prediction_id)
    except BacklineError as error:
        # That it took too long is what matters.
        logger.warning("prediction %s is not cancelled: %s", prediction_id, error.detail)


async def output_of(prediction: Prediction) -> Any:
    """The answer as JSON; a file of it is fetched. Raises Unavailable when the model failed, BadAnswer, and as `ask`."""
    if prediction.status != "succeeded":
        raise Unavailable(f"Replicate's model ended as {prediction.status}: {quoted(prediction.error or 'no reason')}")
    output = prediction.output[0] if isinstance(prediction.output, list) and prediction.output else prediction.output
    if not isinstance(output, str):
        return output
    # Where the file is says the service, not the operator: it is a stranger's address, and no token goes there.
    ours = urlsplit(output)[:2] == urlsplit(get_settings().services.replicate_url)[:2]
    async with outbound() as http:
        answer = await http.fetch("GET", output, headers=_authorised() if ours else {}, limit=ANSWER_LIMIT)
    return check(answer, "Replicate", "REPLICATE_TOKEN").json()


async def share(file: Path) -> str:
    """Send a file, and give the address at which models find it. Raises Refused when it is too large, and as `ask`."""
    size = (await asyncio.to_thread(file.stat)).st_size
    if size > FILE_LIMIT:
        raise Refused(
            f"Replicate takes files of {FILE_LIMIT:,} bytes, and this has {size:,}: keep objects in S3 instead"
        )
    headers, content = upload_form({}, "content", file)
    url = f"{get_settings().services.replicate_url.rstrip('/')}/files"
    async with chosen_service() as http:
        answer = await http.fetch("POST", url, headers={**headers, **_authorised()}, content=content)
    said = check(answer, "Replicate", "REPLICATE_TOKEN").json()
    urls = said.get("urls") if isinstance(said, dict) else None
    if not isinstance(urls, dict) or not isinstance(urls.get("get"), str):
        raise BadAnswer("Replicate's answer does not say where the file is")
    return str(urls["get"])


def _authorised() -> dict[str, str]:
    token = get_settings().services.replicate_token
    if token is None:
        raise Misconfigured("no genres are classified: set REPLICATE_TOKEN", field="REPLICATE_TOKEN")
    return {"Authorization": f"Bearer {token.get_secret_value()}"}


async def _call(verb: str, path: str, body: dict[str, object] | None = None, **headers: str) -> Any:
    url = f"{get_settings().services.replicate_url.rstrip('/')}{path}"
    every = {**_authorised(), "Content-Type": "application/json", **headers}
    content = json.dumps(body).encode() if body is not None else None
    async with chosen_service() as http:
        answer = await http.fetch(verb, url, headers=every, content=content, limit=ANSWER_LIMIT)
    return check(answer, "Replicate", "REPLICATE_TOKEN").json()


def _prediction(said: Any) -> Prediction:
    if not isinstance(said, dict) or not isinstance(said.get("id"), str) or not isinstance(said.get("status"), str):
        raise BadAnswer("Replicate's answer is no prediction")
    error = said.get("error")
    return Prediction(said["id"], said["status"], said.get("output"), str(error) if error else None)
