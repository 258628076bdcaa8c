"""What a player needs as an HTTP response: to anyone from the public bucket, and by signed links from the private one."""

from fastapi import Request, Response

from backend.api.delivery import PRIVATE, deliver
from backend.domains.media.gated import signed_playlist
from backend.storage import Bucket, ObjectKey


async def deliver_media(request: Request, key: ObjectKey, of_links: bool = False) -> Response:
    """Answer with a file of a track that the caller may hear. `of_links` says that it is a playlist of segments.

    What is private is kept by no cache, and its playlist names signed links in place of files. Raises NotFound.
    """
    if key.bucket is Bucket.PUBLIC:
        return await deliver(request, key)
    if not of_links:
        return await deliver(request, key, PRIVATE)
    headers = {"Cache-Control": PRIVATE, "X-Content-Type-Options": "nosniff"}
    return Response(await signed_playlist(key), headers=headers, media_type=key.content_type)
