"""How often one caller may ask: counted for all processes together where there is a Redis, else in this one."""

import hashlib
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from backend._internal.sign_in_cookie import COOKIE
from backend.api.problems import problem
from backend.settings import Settings
from backend.settings.http import HttpSettings

logger = logging.getLogger(__name__)

# What machines ask all the time, and what a player fetches for one track.
FREE = ("/health", "/metrics", "/objects/", "/t/assets/", "/desk")
FREE_PARTS = ("/hls/", "/waveform.", "/artwork.jpg", "/thumbnail.jpg", "/stream")


class RateLimit:
    """Refuses with 429 and `Retry-After` who asks more often than the settings allow. Redis away: nobody is refused.

    `app.state.request_counts` counts, between start and end of the application: see `counting_requests`.
    """

    def __init__(self, app: ASGIApp, http: HttpSettings) -> None:
        self._app = app
        self._on = http.feature_rate_limiting
        self._item = RateLimitItemPerSecond(http.rate_limit_requests, http.rate_limit_window_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._on or scope["type"] != "http" or _is_free(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        wait_s = await self._wait_s(request.app.state.request_counts, _who(request))
        if wait_s is None:
            await self._app(scope, receive, send)
            return
        detail = f"more than {self._item.amount} requests in {self._item.get_expiry()} s: try again in {wait_s} s"
        answer = problem(request, 429, detail, retry_after=wait_s, headers={"Retry-After": str(wait_s)})
        await answer(scope, receive, send)

    async def _wait_s(self, counts: MovingWindowRateLimiter, who: str) -> int | None:
        """Seconds until this caller may ask again; None: now."""
        try:
            if await counts.hit(self._item, who):
                return None
            window = await counts.get_window_stats(self._item, who)
        except StorageError as error:
            logger.warning("requests are not counted: %s", error)
            return None
        return max(1, math.ceil(window.reset_time - time.time()))


@asynccontextmanager
async def counting_requests(settings: Settings) -> AsyncIterator[MovingWindowRateLimiter]:
    """What counts requests, until the block ends: in Redis, for all processes together, or in memory."""
    url = settings.docket.url or ""
    if not settings.http.feature_rate_limiting or not url.startswith(("redis://", "rediss://")):
        yield MovingWindowRateLimiter(MemoryStorage())
        return
    pool = ConnectionPool.from_url(url)
    prefix = f"{settings.docket.docket_name}:requests"
    storage = RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix=prefix, connection_pool=pool
    )
    try:
        yield MovingWindowRateLimiter(storage)
    finally:
        await pool.disconnect()


def _who(request: Request) -> str:
    """Who asks: their token, of which only a hash is kept, else the address they call from."""
    _, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer.strip() or request.cookies.get(COOKIE)
    address = request.client.host if request.client else "unknown"
    return hashlib.sha256((token or address).encode()).hexdigest()[:32]


def _is_free(path: str) -> bool:
    return path.startswith(FREE) or any(part in path for part in FREE_PARTS)
