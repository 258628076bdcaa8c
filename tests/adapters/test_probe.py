"""What is in a file, and what is wrong with it, on real files."""

import asyncio
import time
from pathlib import Path

import pytest

from backend.adapters.probe import Sound, probe
from backend.errors import InvalidInput, UnsupportedMedia
from tests import audio

LOSSLESS = {".wav", ".flac", ".aiff", ".caf", ".wv"}


@pytest.mark.parametrize("suffix", audio.CODECS)
async def test_every_kind_is_measured(tmp_path: Path, suffix: str) -> None:
    sound = await probe(audio.noise(tmp_path / f"a{suffix}", 1.5, rate=48000))
    assert sound.duration_s == pytest.approx(1.5, abs=0.06)
    assert (sound.sample_rate, sound.channels, sound.lossless) == (48000, 2, suffix in LOSSLESS)


async def test_the_name_does_not_count(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "a.flac", 0.5).rename(tmp_path / "song.mp3")
    assert await probe(file) == Sound("audio/flac", "flac", 0.5, 44100, 2, True)


@pytest.mark.parametrize(
    ("options", "codec", "lossless"),
    [
        (("-c:a", "alac", "a.m4a"), "alac", True),
        (("-c:a", "pcm_mulaw", "a.wav"), "pcm_mulaw", False),
        (("-c:a", "pcm_s24le", "a.wav"), "pcm_s24le", True),
        (("-c:a", "libmp3lame", "-write_xing", "0", "a.mp3"), "mp3", False),
        (("-rf64", "always", "a.wav"), "pcm_s16le", True),
    ],
)
async def test_the_codec_is_told(tmp_path: Path, options: tuple[str, ...], codec: str, lossless: bool) -> None:
    *coding, name = options
    audio.ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", *coding, tmp_path / name)
    sound = await probe(tmp_path / name)
    assert (sound.codec, sound.lossless) == (codec, lossless)


async def test_a_cover_is_no_sound_and_no_hindrance(tmp_path: Path) -> None:
    for name in ("a.mp3", "a.flac", "a.m4a"):
        assert (await probe(audio.with_cover(tmp_path / name, 0.5))).duration_s == pytest.approx(0.5, abs=0.03)


async def test_a_wav_from_a_pipe_does_not_know_its_length(tmp_path: Path) -> None:
    assert (await probe(audio.streamed_wav(tmp_path / "a.wav", 0.5))).duration_s == 0.5


async def test_junk_behind_an_mp3_is_no_missing_sound(tmp_path: Path) -> None:
    file = audio.noise(tmp_path / "a.mp3", 2.0)
    file.write_bytes(file.read_bytes() + bytes(300_000))
    assert (await probe(file)).duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("suffix", sorted(audio.CODECS.keys() - {".aac"}))  # ADTS has no length to break
async def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidInput, match="cut short or damaged") as refused:
        await probe(audio.truncated(tmp_path / f"a{suffix}", seconds=4.0))
    assert refused.value.field == "file"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".opus", ".ogg"])
async def test_even_the_last_bytes_are_missed(tmp_path: Path, suffix: str) -> None:
    file = audio.noise(tmp_path / f"a{suffix}", 1.0)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match="cut short"):
        await probe(file)


async def test_a_streamable_m4a_cut_short_is_refused(tmp_path: Path) -> None:
    audio.ffmpeg("-f", "lavfi", "-i", "sine=duration=4", "-c:a", "aac", "-movflags", "+faststart", tmp_path / "w.m4a")
    data = (tmp_path / "w.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(InvalidInput, match=r"promises 4\.000 s"):
        await probe(tmp_path / "a.m4a")


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the file is empty"):
        await probe(audio.empty(tmp_path / "a.wav"))


async def test_what_is_not_sound_is_refused(tmp_path: Path) -> None:
    silent_film = tmp_path / "film.m4a"
    audio.ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:duration=0.2", "-c:v", "libx264", "-f", "mp4", silent_film)
    (tmp_path / "list.wav").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    for file in (audio.text(tmp_path / "a.mp3"), audio.picture(tmp_path / "b.mp3"), silent_film, tmp_path / "list.wav"):
        with pytest.raises(UnsupportedMedia):
            await probe(file)


async def test_a_header_with_nothing_behind_it_holds_no_sound(tmp_path: Path) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.1)
    header = file.read_bytes()[:78]
    file.write_bytes(header[:4] + (70).to_bytes(4, "little") + header[8:-4] + bytes(4))
    with pytest.raises(InvalidInput):
        await probe(file)


@pytest.mark.parametrize("name", ["a'b c.wav", "-i.wav", "$(x);.wav", "new\nline.wav", "%03d.wav"])
async def test_hostile_names_are_only_names(tmp_path: Path, name: str) -> None:
    file = audio.tone(tmp_path / "a.wav", 0.1).rename(tmp_path / name)
    assert (await probe(file)).duration_s == 0.1


async def test_it_does_not_hold_the_loop(tmp_path: Path) -> None:
    file = audio.noise(tmp_path / "a.flac", 60.0)
    probing = asyncio.create_task(probe(file))
    worst = 0.0
    while not probing.done():
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        worst = max(worst, time.perf_counter() - before)
    assert worst < 0.3
    assert (await probing).duration_s == 60.0
