"""Objects by the store's own URLs: public ones for anyone, private ones with a signature that expires."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from backend.api import examples
from backend.api.delivery import PRIVATE, REVALIDATE, deliver
from backend.api.problems import problems
from backend.storage import Bucket, ObjectKey, storage

router = APIRouter(prefix="/objects", tags=["objects"])

Address = Annotated[str, Path(description="Path of the object in its bucket.", examples=["0192a6b1/waveform.png"])]

BYTES = examples.media("application/octet-stream")


@router.head("/public/{path:path}", include_in_schema=False)
@router.get(
    "/public/{path:path}",
    summary="Fetch a public object",
    response_class=Response,
    responses=BYTES | problems(404, 416, 422, 503),
)
async def public_object(request: Request, path: Address) -> Response:
    """Any object of the public bucket, whole or in ranges."""
    return await deliver(request, ObjectKey(Bucket.PUBLIC, path), REVALIDATE)


@router.head("/private/{path:path}", include_in_schema=False)
@router.get(
    "/private/{path:path}",
    summary="Fetch a private object",
    response_class=Response,
    responses=BYTES | problems(404, 416, 422, 503),
)
async def private_object(
    request: Request,
    path: Address,
    expires: Annotated[str, Query(description="Unix time at which the link ends.", examples=["1795424400"])],
    signature: Annotated[str, Query(description="HMAC-SHA256 of the link, in hex.")],
) -> Response:
    """A private object by a link that the platform signed. A forged or an old link is a 404, like no link at all."""
    return await deliver(request, storage().verify_url(Bucket.PRIVATE, path, expires, signature), PRIVATE)
