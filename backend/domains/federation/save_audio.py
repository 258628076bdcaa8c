"""Saves a track's audio: uploads it to its artist's own server, and lets the track's record name it."""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.models.federation import PdsRecord, SavedAudio
from backend.db.models.media import Track
from backend.db.models.runs import ACTIVE, Run
from backend.db.session import Unit, unit_of_work
from backend.domains.federation.lexicons import Kind
from backend.domains.federation.pds import Pds, pds_of
from backend.domains.federation.publication import refresh_publication, refresh_wish
from backend.domains.federation.saved_audio import get_saved
from backend.domains.federation.writing import bring
from backend.errors import BadAnswer, Conflict, NotFound, Refused, Snooze, TooLarge, Unavailable
from backend.runtime.cancel import cancel_in

RUN_KEY = "save_audio:{track_id}"  # one run at a time saves a track's audio
LIMIT_BYTES = 100 * 1024 * 1024  # what the lexicon lets a record name
# https://github.com/multiformats/multicodec: CID version 1, raw bytes, SHA-256, 32 bytes long.
CID_PREFIX = bytes([0x01, 0x55, 0x12, 0x20])
LOOK_AGAIN = timedelta(seconds=1)

Report = Callable[[int, int, str], Awaitable[None]]  # bytes sent, bytes in all, of what


class Sound(Protocol):
    """A track as one file. `what` is `original` or the format of a stream, `size` is in bytes."""

    @property
    def what(self) -> str: ...
    @property
    def mime(self) -> str: ...
    @property
    def size(self) -> int: ...
    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, from the start."""
        ...


async def ask_for_audio(unit: Unit, track_id: str) -> PdsRecord:
    """Within this unit: a track's audio is wanted on its artist's server. A repeat changes nothing. Gives its record.

    Raises NotFound, and Conflict when the track is gated or not published.
    """
    track = await unit.session.get(Track, track_id, with_for_update=True, populate_existing=True)
    if track is None:
        raise NotFound(f"there is no track {track_id}", field="track_id")
    if track.gated:
        raise Conflict("the track is gated, and on its artist's server everybody could fetch it: open the gate first")
    record = await unit.session.scalar(
        select(PdsRecord).filter_by(did=track.artist_did, kind=Kind.TRACK, subject=track_id)
    )
    if record is None or record.wanted is None:
        raise Conflict("the track is not published, and a server drops what no record names: publish it first")
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    await unit.connection.execute(make(SavedAudio).values(track_id=track_id).on_conflict_do_nothing())
    return record


async def drop_audio(track_id: str) -> None:
    """A track's audio is wanted there no more; its record stays. Raises NotFound when it never was."""
    async with unit_of_work() as unit:
        row = await unit.session.get(SavedAudio, track_id)
        if row is None:
            raise NotFound("the audio was never asked to be saved", field="track_id")
        saving = select(Run.id).where(Run.key == RUN_KEY.format(track_id=track_id), Run.state.in_(ACTIVE))
        for run_id in list(await unit.session.scalars(saving)):
            await cancel_in(unit, run_id)
        await unit.session.delete(row)
        await unit.flush()
        await refresh_publication(track_id)


async def close_audio(track_id: str) -> None:
    """The track's gate has closed: its record stops naming the blob at once, whatever else takes its time. A repeat is harmless."""
    async with unit_of_work() as unit:
        if await unit.session.get(SavedAudio, track_id) is not None:
            await refresh_publication(track_id)


async def save_audio(track_id: str, version_id: str, sounds: Sequence[Sound], report: Report) -> None:
    """Upload the first of `sounds` that the server takes, and let the track's record name it.

    Nothing is sent when that is so already. Raises NotFound, Conflict when the track is gated or not published, TooLarge
    when the server has room for none, Snooze when it shows another version by now, and what `bring` raises.
    """
    async with unit_of_work() as unit:
        record = await ask_for_audio(unit, track_id)
        saved = await unit.session.get_one(SavedAudio, track_id)
    if saved.blob is not None and saved.version_id == version_id and await _is_named(record, saved.blob):
        return
    sound, blob = await _upload(record.did, sounds, report)
    async with unit_of_work() as unit:
        # The gate may have closed meanwhile: what no record names, nobody can fetch.
        await ask_for_audio(unit, track_id)
        found = {"version_id": version_id, "what": sound.what, "blob": blob, "saved_at": now()}
        await unit.connection.execute(update(SavedAudio).where(SavedAudio.track_id == track_id).values(**found))
        await refresh_wish(unit, track_id)
    await bring(record.id)
    if (await get_saved(track_id)).blob is None:
        raise Snooze("the track shows another version by now", after=LOOK_AGAIN)


async def _is_named(record: PdsRecord, blob: dict[str, Any]) -> bool:
    """Whether the server has this blob and a record that names it. What was interrupted between the two goes on here."""
    if record.wanted is None or record.wanted.get("audioBlob") != blob:
        return False
    try:
        await bring(record.id)
    except Refused as error:
        if error.name != "BlobNotFound":
            raise
        return False
    return True


async def _upload(did: str, sounds: Sequence[Sound], report: Report) -> tuple[Sound, dict[str, Any]]:
    if not sounds:
        raise Conflict("neither the original nor a stream of the track is in storage: upload it again")
    reasons = []
    async with pds_of(did) as pds:
        for sound in sounds:
            if sound.size > LIMIT_BYTES:
                reasons.append(f"{sound.what} has {sound.size:,} bytes, and a record names at most {LIMIT_BYTES:,}")
                continue
            try:
                blob = await _send(pds, sound, report)
            except TooLarge:
                reasons.append(f"{sound.what} has {sound.size:,} bytes, more than the server takes")
                continue
            if str(blob.get("mimeType")).startswith("audio/"):
                return sound, blob
            reasons.append(f"the server takes {sound.what} for {blob.get('mimeType')}")
    advice = "replace the audio by a smaller file, or have the server's limit for blobs raised (PDS_BLOB_UPLOAD_LIMIT)"
    raise TooLarge(f"the audio cannot be saved: {'; '.join(reasons)}. What helps: {advice}", field="track_id")


async def _send(pds: Pds, sound: Sound, report: Report) -> dict[str, Any]:
    digest = hashlib.sha256()

    async def content() -> AsyncIterator[bytes]:
        nonlocal digest
        digest, sent = hashlib.sha256(), 0
        async for chunk in sound.chunks():
            digest.update(chunk)
            sent += len(chunk)
            if sent > sound.size:
                break
            yield chunk
            await report(sent, sound.size, sound.what)
        if sent != sound.size:
            raise Unavailable(f"{sent:,} bytes of {sound.what} came where {sound.size:,} were announced")

    blob = await pds.upload_blob(sound.mime, sound.size, content)
    if blob.get("ref") != {"$link": cid_of(digest.digest())} or blob.get("size") != sound.size:
        raise BadAnswer(f"the server did not get {sound.what} as it was sent")
    return blob


def cid_of(sha256: bytes) -> str:
    """The CID of raw bytes with this SHA-256, as blobs are named."""
    return "b" + base64.b32encode(CID_PREFIX + sha256).decode().rstrip("=").lower()
