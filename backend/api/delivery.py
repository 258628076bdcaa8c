"""An object of the store as an HTTP response: typed, cacheable, in ranges, streamed."""

import re
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from backend.api.problems import problem
from backend.storage import ObjectKey, storage
from backend.storage.port import ObjectInfo

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

# A new version or a new transcode keeps the URL, so a cache must ask before it uses what it kept.
REVALIDATE = "public, no-cache"
PRIVATE = "private, no-store"


@dataclass(frozen=True)
class Part:
    """Which bytes of an object are wanted: from `start` to before `end`."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """A range that begins behind the end."""


def wanted_part(header: str | None, size: int) -> Part | None:
    """The part that a Range header asks for. None for the whole: no header, several ranges, or one nobody can read.

    Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        if int(last) == 0 or size == 0:
            raise Unsatisfiable
        return Part(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return Part(int(first), min(int(last) + 1, size) if last else size)


async def deliver(request: Request, key: ObjectKey, cache_control: str = REVALIDATE) -> Response:
    """Answer GET or HEAD with an object: 200, 206, 304 or 416. Raises NotFound."""
    store = storage()
    info = await store.head(key)
    etag = _etag(info)
    headers = {
        "Content-Type": info.content_type,
        "Accept-Ranges": "bytes",
        "Cache-Control": cache_control,
        "X-Content-Type-Options": "nosniff",
        "ETag": etag,
    }
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted_part(_range_header(request, etag), info.size)
    except Unsatisfiable:
        detail = f"the object has {info.size} bytes"
        return problem(request, 416, detail, field="range", headers={"Content-Range": f"bytes */{info.size}"})
    headers["Content-Length"] = str(part.end - part.start if part else info.size)
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{info.size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    opened = await (store.open(key, part.start, part.end) if part else store.open(key))
    return StreamingResponse(opened, status, headers)


def _range_header(request: Request, etag: str) -> str | None:
    # If-Range: the part only if the object is still the one the client knows, else the whole.
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, etag) else None


def _etag(info: ObjectInfo) -> str:
    return f'"{info.etag.strip(chr(34))}"' if info.etag else f'"{info.size:x}-{int(info.modified_at.timestamp()):x}"'


def _matches(header: str | None, etag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in (header or "").split(",")]
    return etag in known or known == ["*"]
