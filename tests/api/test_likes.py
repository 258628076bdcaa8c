"""Likes over HTTP. What becomes of their records is shown beside a real server."""

import httpx
import pytest

from backend.domains.federation.sign_ins import open_sign_in


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_who_is_signed_in_likes(api: httpx.AsyncClient, method: str) -> None:
    assert (await api.request(method, "/tracks/none/like")).status_code == 401
    bearer = {"Authorization": f"Bearer {await open_sign_in('did:plc:bob')}"}
    assert (await api.request(method, "/tracks/none/like", headers=bearer)).status_code == 404
