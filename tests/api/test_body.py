"""JSON bodies are refused before they fill the memory, and what is no JSON is told apart from what is wrong JSON."""

from collections.abc import AsyncIterator

import httpx
import pytest

JSON = {"Content-Type": "application/json"}


async def endless() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b" " * 65536


async def test_an_announced_large_body_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post("/dead/purge", content=b" " * 1_000_001, headers=JSON)
    assert (response.status_code, response.json()["field"]) == (413, "body")


async def test_a_large_body_that_was_not_announced_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post("/dead/purge", content=endless(), headers=JSON)
    assert (response.status_code, response.json()["field"]) == (413, "body")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"nope"])
async def test_no_json_is_a_malformed_request(api: httpx.AsyncClient, content: bytes) -> None:
    response = await api.post("/dead/purge", content=content, headers=JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


async def test_json_without_its_type_is_told_what_to_send(api: httpx.AsyncClient) -> None:
    response = await api.post("/dead/purge", content=b'{"filter": {}}')
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["detail"]
