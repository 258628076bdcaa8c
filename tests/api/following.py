"""Reading what the API says over time."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

ENDED = {"succeeded", "dead", "cancelled", "interrupted"}


@dataclass
class Sent:
    """One server-sent event, or a comment."""

    event: str | None = None
    data: Any = None
    id: str | None = None
    comment: str | None = None


async def events(response: httpx.Response) -> AsyncIterator[Sent]:
    """The events of a stream, comments too."""
    sent = Sent()
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        match name:
            case "":
                if line.startswith(":"):
                    sent.comment = value
                elif sent != Sent():
                    yield sent
                    sent = Sent()
            case "data":
                sent.data = json.loads(value)
            case "event" | "id":
                setattr(sent, name, value)


async def ended(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """The run, once it has ended."""
    async with asyncio.timeout(40):
        while (run := (await api.get(f"/runs/{run_id}")).json())["state"] not in ENDED:  # noqa: ASYNC110
            await asyncio.sleep(0.03)
    return run


async def in_state(api: httpx.AsyncClient, run_id: str, state: str) -> dict[str, Any]:
    """The run, once it is in this state."""
    async with asyncio.timeout(40):
        while (run := (await api.get(f"/runs/{run_id}")).json())["state"] != state:  # noqa: ASYNC110
            await asyncio.sleep(0.03)
    return run
