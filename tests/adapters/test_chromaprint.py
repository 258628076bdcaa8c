"""The fingerprint is the one that fpcalc makes, number by number."""

import shutil
import subprocess
from pathlib import Path

import pytest

from backend.adapters.chromaprint import fingerprint
from backend.adapters.ffmpeg import FfmpegFailed
from backend.errors import InvalidInput
from tests import audio, music
from tests.conftest import set_environment
from tests.domains.media.conftest import broken_ffmpeg

# Of `music.play(..., seed=1, seconds=8.0)` as WAV, by fpcalc 1.5.1.
BY_FPCALC = [
    3392605359,
    3409313975,
    1211511479,
    1492525751,
    1486353045,
    2021896836,
    2021699204,
    2025892548,
    2030086656,
    1795406080,
    1796455680,
    1779675140,
    3927019572,
    3927281708,
    3926192172,
    3930337322,
    3939239210,
    2861373738,
    2861513002,
    2861513002,
    3146586938,
    3146333722,
    2560168458,
    2560099018,
    2629304970,
    2360869770,
    2359845771,
    3437799304,
    3454572936,
    3731593608,
    3731528584,
    3593124744,
    4129991048,
    4129929624,
    4129920344,
    4129923384,
    1965908284,
    1948656420,
    1948656164,
    4234551840,
    4238488098,
    3702725170,
    3702725394,
]


def fpcalc(file: Path) -> list[int]:
    """What others' program says."""
    done = subprocess.run(["fpcalc", "-raw", str(file)], capture_output=True, text=True, check=False)
    _, _, numbers = done.stdout.partition("FINGERPRINT=")
    return [int(number) & 0xFFFFFFFF for number in numbers.split(",")]


async def test_the_numbers_are_those_that_fpcalc_wrote_down(tmp_path: Path) -> None:
    assert (await fingerprint(music.play(tmp_path / "a.wav", seed=1, seconds=8.0))).tolist() == BY_FPCALC


@pytest.mark.skipif(not shutil.which("fpcalc"), reason="no fpcalc here: apt-get install libchromaprint-tools")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.mp3", {}),
        ("long.wav", {"seconds": 130.0}),
        ("lead in.wav", {"lead_s": 3.0}),
    ],
)
async def test_the_numbers_are_those_of_fpcalc(tmp_path: Path, name: str, options: dict[str, float]) -> None:
    file = music.play(tmp_path / name, seed=2, **options)
    made = (await fingerprint(file)).tolist()
    assert len(made) > 40
    assert made == fpcalc(file)


async def test_two_minutes_are_looked_at(tmp_path: Path) -> None:
    assert len(await fingerprint(music.play(tmp_path / "a.wav", seed=1, seconds=130.0))) == 948


@pytest.mark.parametrize("seconds", [0.1, 2.0])
async def test_s40_short_sound_has_no_numbers(tmp_path: Path, seconds: float) -> None:
    assert (await fingerprint(audio.tone(tmp_path / "a.wav", seconds))).tolist() == []


async def test_s40_what_is_no_sound_fails(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        await fingerprint(audio.text(tmp_path / "a.wav"))


async def test_s40_a_failing_program_fails_whatever_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = audio.tone(tmp_path / "a.wav", 1.0)
    set_environment(monkeypatch, FFMPEG_PATH=broken_ffmpeg(tmp_path, "printf 12345678 > fingerprint.raw; exit 1"))
    with pytest.raises(FfmpegFailed):
        await fingerprint(file)
