"""A track's audio reaches its artist's own server byte by byte, and stays there: read back as anybody reads it."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.db.ids import new_id
from backend.db.models.media import Track, TrackVersion
from backend.db.session import Database, unit_of_work
from backend.db.session import database as current_database
from backend.domains.federation.publication import (
    publish,
    request_publication,
    withdraw_publication,
)
from backend.domains.federation.records import RecordState
from backend.domains.federation.save_audio import drop_audio, save_audio
from backend.domains.federation.saved_audio import get_saved, is_missing
from backend.domains.media.sources import Sound
from backend.errors import Conflict, NotFound, RateLimited, Snooze, TooLarge, Unavailable
from backend.settings import get_settings
from backend.storage import open_storage, original_key
from tests.domains.federation.conftest import alice_signs_in, ready_track
from tests.domains.federation.sounds import MP3, Alices, Bytes, mp3, unwatched
from tests.network.faulty import Fault, FaultyPds
from tests.network.server import NetworkServer

UPLOAD, PUT = "com.atproto.repo.uploadBlob", "com.atproto.repo.putRecord"
VERSION = "v1"
FILM = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41" + b"\x00" * 9000


@pytest.fixture
async def alice(platform: NetworkServer, database: Database, alice_password: str, faulty: FaultyPds) -> Alices:
    await alice_signs_in(platform, alice_password, faulty)
    track_id = await ready_track(platform.alice.did)
    await request_publication(track_id)
    await publish(track_id)
    async with database.reading() as session:
        version_id = str((await session.get_one(Track, track_id)).current_version_id)
    return Alices(platform, track_id, version_id)


async def _gate(track_id: str, gated: bool = True) -> None:
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).where(Track.id == track_id).values(gated=gated))


async def _show_another(track_id: str) -> str:
    """The track shows another version from now on."""
    async with unit_of_work() as unit:
        track = await unit.session.get_one(Track, track_id)
        before = await unit.session.get_one(TrackVersion, track.current_version_id)
        made = {"track_id": track_id, "original_asset_id": before.original_asset_id, "status": "ready"}
        unit.session.add(version := TrackVersion(id=new_id(), codec="mp3", **made))
        track.current_version_id = version.id
    return version.id


async def test_the_record_names_it_and_the_bytes_are_the_same(alice: Alices, faulty: FaultyPds) -> None:
    content = mp3(new_id())
    await alice.save(Bytes(content))
    saved = await get_saved(alice.track_id)
    assert (saved.what, saved.version_id) == ("original", alice.version_id)
    assert (await alice.record())["audioBlob"] == saved.blob
    assert saved.blob
    assert (saved.blob["mimeType"], saved.blob["size"]) == ("audio/mpeg", len(content))
    assert await alice.fetched() == content
    before = dict(faulty.calls)
    await alice.save(Bytes(content))
    assert dict(faulty.calls) == before
    # Published anew with another title, it keeps its blob.
    async with unit_of_work() as unit:
        await unit.connection.execute(update(Track).where(Track.id == alice.track_id).values(title="Other"))
    await request_publication(alice.track_id)
    assert (await publish(alice.track_id)).state == RecordState.WRITTEN
    record = await alice.record()
    assert (record["title"], record["audioBlob"]) == ("Other", saved.blob)
    assert await alice.fetched() == content


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(500), Unavailable),
        (Fault(429, "RateLimitExceeded", {"Retry-After": "3"}), RateLimited),
        (Fault(hang_up=True), Unavailable),
        (Fault(hang_up=True, reached=True), Unavailable),
    ],
    ids=["500", "429", "hung up", "answer lost"],
)
@pytest.mark.parametrize("method", [UPLOAD, PUT])
async def test_a_failed_attempt_is_made_good(
    alice: Alices, faulty: FaultyPds, method: str, fault: Fault, error: type[Exception]
) -> None:
    content = mp3(new_id())
    faulty.plan(method, Fault(**vars(fault)))
    with pytest.raises(error):
        await alice.save(Bytes(content))
    await alice.save(Bytes(content))
    assert (await alice.record())["audioBlob"] == (await get_saved(alice.track_id)).blob
    assert await alice.fetched() == content
    # What was uploaded is not uploaded again for the sake of the record.
    assert faulty.calls[UPLOAD] == (2 if method == UPLOAD else 1)


async def test_a_blob_that_was_dropped_before_the_record_named_it(alice: Alices, faulty: FaultyPds) -> None:
    content = mp3(new_id())
    faulty.plan(PUT, Fault(500), Fault(400, "BlobNotFound"))
    with pytest.raises(Unavailable):
        await alice.save(Bytes(content))
    await alice.save(Bytes(content))
    assert (faulty.calls[UPLOAD], await alice.fetched()) == (2, content)


async def test_an_expired_token_sends_it_once_more(alice: Alices, faulty: FaultyPds) -> None:
    content = mp3(new_id())
    faulty.plan(UPLOAD, Fault(400, "ExpiredToken"))
    await alice.save(Bytes(content))
    assert (faulty.calls[UPLOAD], await alice.fetched()) == (2, content)


async def test_a_server_with_little_room_gets_the_best_stream_that_fits(alice: Alices, faulty: FaultyPds) -> None:
    best, small = mp3(new_id()), FILM.replace(b"ftypisom", b"ftypM4A ") + new_id().encode()
    faulty.plan(UPLOAD, Fault(413, "PayloadTooLarge"))
    huge = Bytes(b"", "original", announced=104_857_601)
    await alice.save(huge, Bytes(best, "hls_alac"), Bytes(small, "hls_aac", "audio/mp4"))
    # The first was not even tried, the second refused.
    assert faulty.calls[UPLOAD] == 2
    saved = await get_saved(alice.track_id)
    assert (saved.what, await alice.fetched()) == ("hls_aac", small)
    # Its server looks at the bytes, and a file that says of itself to be a film would be one.
    assert saved.blob
    assert saved.blob["mimeType"] == "audio/x-m4a"


async def test_what_fits_nowhere_says_what_helps(alice: Alices, faulty: FaultyPds) -> None:
    faulty.plan(UPLOAD, Fault(413))
    with pytest.raises(TooLarge) as refused:
        await alice.save(Bytes(b"", announced=104_857_601), Bytes(b"x" * 1000, "hls_opus"), Bytes(FILM, "hls_aac"))
    assert refused.value.detail == (
        "the audio cannot be saved: original has 104,857,601 bytes, and a record names at most 104,857,600; hls_opus has "
        "1,000 bytes, more than the server takes; the server takes hls_aac for video/mp4. What helps: replace the audio by a "
        "smaller file, or have the server's limit for blobs raised (PDS_BLOB_UPLOAD_LIMIT)"
    )
    assert "audioBlob" not in await alice.record()
    with pytest.raises(Conflict, match="upload it again"):
        await alice.save()


async def test_a_gated_track_is_never_sent(alice: Alices, faulty: FaultyPds) -> None:
    await _gate(alice.track_id)
    with pytest.raises(Conflict, match="open the gate first"):
        await alice.save(Bytes(mp3(new_id())))
    assert faulty.calls[UPLOAD] == 0
    with pytest.raises(NotFound):
        await get_saved(alice.track_id)


async def test_a_gate_that_closes_during_the_upload(alice: Alices, faulty: FaultyPds) -> None:
    sound = Bytes(mp3(new_id()), then=lambda: _gate(alice.track_id))
    with pytest.raises(Conflict, match="open the gate first"):
        await alice.save(sound)
    assert faulty.calls[UPLOAD] == 1
    assert (await get_saved(alice.track_id)).blob is None
    assert "audioBlob" not in await alice.record()
    # No record names it, so nobody gets it.
    await _gate(alice.track_id, gated=False)
    sound.then = None
    await alice.save(sound)
    assert await alice.fetched() == sound.content


async def test_a_version_that_is_shown_during_the_upload(alice: Alices, faulty: FaultyPds) -> None:
    with pytest.raises(Snooze, match="another version"):
        await alice.save(Bytes(mp3(new_id()), then=lambda: _show_another(alice.track_id)))
    assert "audioBlob" not in await alice.record()
    async with current_database().reading() as session:
        alice.version_id = str((await session.get_one(Track, alice.track_id)).current_version_id)
    content = mp3(new_id())
    await alice.save(Bytes(content))
    assert await alice.fetched() == content


@pytest.mark.parametrize("how", ["gate", "another version", "withdrawn"])
async def test_what_the_record_names_no_more_is_forgotten_and_saved_anew(alice: Alices, how: str) -> None:
    content = mp3(new_id())
    await alice.save(Bytes(content))
    blob = (await get_saved(alice.track_id)).blob
    if how == "gate":
        await _gate(alice.track_id)
        await request_publication(alice.track_id)
    elif how == "withdrawn":
        await withdraw_publication(alice.track_id)
    else:
        alice.version_id = await _show_another(alice.track_id)
        await request_publication(alice.track_id)
    await publish(alice.track_id)
    assert (await get_saved(alice.track_id)).blob is None
    assert await alice.fetched(blob) is None
    if how == "gate":
        assert not await is_missing(alice.track_id)
        await _gate(alice.track_id, gated=False)
    if how == "withdrawn":
        assert not await is_missing(alice.track_id)
    await request_publication(alice.track_id)
    await publish(alice.track_id)
    assert await is_missing(alice.track_id)
    await alice.save(Bytes(content))
    assert not await is_missing(alice.track_id)
    assert (await alice.record())["audioBlob"] == blob
    assert await alice.fetched() == content


async def test_it_is_wanted_no_more(alice: Alices) -> None:
    with pytest.raises(NotFound, match="never asked"):
        await drop_audio(alice.track_id)
    await alice.save(Bytes(mp3(new_id())))
    blob = (await get_saved(alice.track_id)).blob
    await drop_audio(alice.track_id)
    await publish(alice.track_id)
    assert "audioBlob" not in await alice.record()
    assert await alice.fetched(blob) is None
    assert not await is_missing(alice.track_id)


async def test_what_is_not_published_is_not_saved(platform: NetworkServer, database: Database) -> None:
    for track_id, error, words in (
        ("no such track", NotFound, "no track"),
        (await ready_track(platform.alice.did), Conflict, "publish it first"),
        (await ready_track(None), Conflict, "publish it first"),
    ):
        with pytest.raises(error, match=words):
            await save_audio(track_id, VERSION, [Bytes(MP3)], unwatched)


async def test_bytes_that_do_not_come_are_no_blob(alice: Alices) -> None:
    for announced in (len(MP3) + 1, len(MP3) - 1):
        with pytest.raises(Unavailable):
            await alice.save(Bytes(MP3, announced=announced))
    assert "audioBlob" not in await alice.record()


async def test_a_hundred_megabytes_are_never_in_memory(
    platform: NetworkServer, sqlite_database: Database, alice_password: str, tmp_path: Path
) -> None:
    await alice_signs_in(platform, alice_password)
    track_id = await ready_track(platform.alice.did)
    await request_publication(track_id)
    await publish(track_id)
    async with sqlite_database.reading() as session:
        version_id = str((await session.get_one(Track, track_id)).current_version_id)
    size = 100 * 1024 * 1024
    file = tmp_path / "long.wav"
    with file.open("wb") as output:
        output.write(b"RIFF\xff\xff\xff\xffWAVEfmt ")
        for _ in range(99):
            output.write(os.urandom(1024 * 1024))
        output.write(os.urandom(size - output.tell()))
    highest, watching = 0, True

    async def watch() -> None:
        nonlocal highest
        while watching:
            highest = max(highest, _resident())
            await asyncio.sleep(0.01)

    async with open_storage(get_settings()) as store:
        key = original_key(new_id(), ".wav")
        await store.put(key, file)
        before = _resident()
        watcher = asyncio.create_task(watch())
        await save_audio(track_id, version_id, [Sound("original", "audio/wav", size, (key,))], unwatched)
        watching = False
        await watcher
    blob = (await get_saved(track_id)).blob
    assert blob
    assert (blob["size"], blob["mimeType"].startswith("audio/")) == (size, True)
    assert highest - before < 30_000_000, f"{(highest - before):,} bytes more"


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
