"""A track's audio on its artist's own server, from the upload on: it follows the gate, and the version that is shown."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.db.session import unit_of_work
from backend.domains.federation.accounts import sign_in
from backend.domains.federation.publication import get_publication, request_publication
from backend.domains.federation.records import RecordState
from backend.domains.federation.save_audio import ask_for_audio, drop_audio
from backend.domains.federation.saved_audio import get_saved
from backend.domains.media.access import Person
from backend.domains.media.changes import change_track
from backend.domains.media.sources import find_sounds
from backend.domains.media.upload import replace_audio, store_upload
from backend.errors import Conflict, NotFound
from backend.flows.saved_audio import schedule_save_audio
from backend.runtime.runs import get_run
from tests import audio
from tests.conftest import set_environment
from tests.domains.media.conftest import sent
from tests.flows.stage import house, settled
from tests.network.server import NetworkServer

PATIENCE_S = 60


class Published:
    """A published track, as anybody sees it."""

    def __init__(self, network: NetworkServer, track_id: str) -> None:
        self._url, self.did, self.track_id = f"{network.pds_url}/xrpc/", network.alice.did, track_id

    async def record(self) -> dict[str, Any]:
        """The track's record, once all that is wanted is written."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := await get_publication(self.track_id)).state != RecordState.WRITTEN:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        rkey = found.uri.rpartition("/")[2]
        asked = {"repo": self.did, "collection": "fm.backline.track", "rkey": rkey}
        async with httpx.AsyncClient(base_url=self._url) as client:
            answer = await client.get("com.atproto.repo.getRecord", params=asked)
        return dict(answer.raise_for_status().json()["value"])

    async def until(self, *, gated: bool, named: bool) -> dict[str, Any]:
        """The record, once it says this of the gate and names a blob, or none."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                record = await self.record()
                if ("supportGate" in record, "audioBlob" in record) == (gated, named):
                    return record
                await asyncio.sleep(0.05)

    async def blob(self, cid: str) -> bytes | None:
        """The bytes under this name, or None when the server has none."""
        async with httpx.AsyncClient(base_url=self._url, timeout=60) as client:
            answer = await client.get("com.atproto.sync.getBlob", params={"did": self.did, "cid": cid})
        return answer.content if answer.status_code == 200 else None


async def _save(track_id: str) -> str:
    """Have the audio saved. Returns the run."""
    async with unit_of_work() as unit:
        await ask_for_audio(unit, track_id)
        return (await schedule_save_audio(track_id)).id


def _cid(record: dict[str, Any]) -> str:
    return str(record["audioBlob"]["ref"]["$link"])


async def test_it_follows_the_gate_and_the_version(
    network: NetworkServer, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(
        monkeypatch, DOCKET_URL="memory://saved", RUNNER_POLL_S="0.2", RUNNER_REPAIR_S="0.5", RUNNER_SHUTDOWN_GRACE_S="0.3",
        ATPROTO_PLC_URL=network.plc_url, ATPROTO_HANDLE_URL=network.pds_url, OUTBOUND_PRIVATE="1",
    )  # fmt: skip
    owner = Person(network.alice.did)
    original, other = audio.tone(tmp_path / "a.wav", 0.4), audio.tone(tmp_path / "b.wav", 0.6)
    async with house():
        await sign_in("alice.test", network.app_password(network.alice), "203.0.113.9")
        made = await store_upload(sent(original), "a.wav", artist_did=owner.did)
        await settled(made, "ready")
        track_id, track = made.track_id, Published(network, made.track_id)
        with pytest.raises(Conflict, match="publish it first"):
            await _save(track_id)
        await request_publication(track_id)
        await track.record()
        run_id = await _save(track_id)
        assert await _save(track_id) == run_id  # one is under way
        first = await track.until(gated=False, named=True)
        assert await track.blob(_cid(first)) == original.read_bytes()
        assert (await get_run(run_id)).args == {"track_id": track_id}

        # The gate closes, and nobody fetches what lies behind it.
        await change_track(track_id, owner, gated=True)
        await track.until(gated=True, named=False)
        assert await track.blob(_cid(first)) is None
        with pytest.raises(Conflict, match="open the gate"):
            await _save(track_id)

        # It opens, and the same bytes are there again, without anybody asking for it.
        await change_track(track_id, owner, gated=False)
        again = await track.until(gated=False, named=True)
        assert again["audioBlob"] == first["audioBlob"]
        assert await track.blob(_cid(again)) == original.read_bytes()

        # Another version is shown and published: its sound takes the place of the one before.
        replaced = await replace_audio(track_id, owner, sent(other), "b.wav")
        async with asyncio.timeout(PATIENCE_S):
            while (await find_sounds(track_id))[0] != replaced.version_id:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await request_publication(track_id)
        async with asyncio.timeout(PATIENCE_S):
            while (await get_saved(track_id)).version_id != replaced.version_id:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        second = await track.until(gated=False, named=True)
        assert await track.blob(_cid(second)) == other.read_bytes()
        assert await track.blob(_cid(first)) is None

        await drop_audio(track_id)
        await track.until(gated=False, named=False)
        assert await track.blob(_cid(second)) is None
        with pytest.raises(NotFound, match="never asked"):
            await get_saved(track_id)


async def test_a_stream_stands_in_as_a_file_that_plays(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DOCKET_URL="memory://streams", RUNNER_POLL_S="0.2", RUNNER_SHUTDOWN_GRACE_S="0.3")
    async with house():
        made = await store_upload(sent(audio.tone(tmp_path / "a.wav", 13.0)), "a.wav")
        await settled(made, "ready")
        async with asyncio.timeout(PATIENCE_S):
            while len((await find_sounds(made.track_id))[1]) < 3:  # noqa: ASYNC110  it plays before all is made
                await asyncio.sleep(0.05)
        version_id, sounds = await find_sounds(made.track_id)
        assert (version_id, [sound.what for sound in sounds]) == (made.version_id, ["original", "hls_aac", "hls_opus"])
        assert [sound.mime for sound in sounds] == ["audio/wav", "audio/mp4", "audio/mp4"]
        for sound in sounds:
            content = b"".join([chunk async for chunk in sound.chunks()])
            assert len(content) == sound.size
            file = tmp_path / f"{sound.what}.m4a"
            file.write_bytes(content)
            decoded = audio.ffmpeg("-v", "error", "-xerror", "-i", file, "-f", "s16le", "-ac", "1", "-ar", "8000", "-")
            assert abs(len(decoded) / 2 / 8000 - 13.0) < 0.1
        assert content[4:12] == b"ftypM4A "
        with pytest.raises(NotFound):
            await find_sounds("no such track")
