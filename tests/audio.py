"""Real sound for the tests, made by ffmpeg: tones, noise, silence, and files with something wrong."""

import struct
import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg

CODECS = {
    ".wav": ("-c:a", "pcm_s16le"),
    ".flac": ("-c:a", "flac"),
    ".mp3": ("-c:a", "libmp3lame", "-b:a", "128k"),
    ".m4a": ("-c:a", "aac", "-b:a", "128k"),
    ".aac": ("-c:a", "aac", "-b:a", "128k"),
    ".opus": ("-c:a", "libopus", "-b:a", "96k"),
    ".ogg": ("-c:a", "libvorbis"),
    ".aiff": ("-c:a", "pcm_s16be"),
    ".caf": ("-c:a", "pcm_s16le"),
    ".wv": ("-c:a", "wavpack"),
}


@cache
def ffmpeg_program() -> str:
    """The ffmpeg of the wheel."""
    return imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run ffmpeg to its end and give what it wrote to its output."""
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def tone(
    file: Path, seconds: float = 1.0, *, hz: int = 440, rate: int = 44100, channels: int = 2, volume: str = "0dB"
) -> Path:
    """A sine of -18 dBFS times `volume`, in the format that the suffix names."""
    source = f"sine=frequency={hz}:sample_rate={rate}:duration={seconds}"
    return encode(file, source, "-ac", str(channels), "-af", f"volume={volume}")


def noise(file: Path, seconds: float = 1.0, *, rate: int = 44100, channels: int = 2) -> Path:
    """Pink noise, the same in every call."""
    source = f"anoisesrc=color=pink:sample_rate={rate}:duration={seconds}:seed=7:amplitude=0.5"
    return encode(file, source, "-ac", str(channels))


def silence(file: Path, seconds: float = 1.0, *, rate: int = 44100) -> Path:
    """Digital silence in stereo."""
    return encode(file, f"anullsrc=sample_rate={rate}:channel_layout=stereo:duration={seconds}")


def loud_then_quiet(file: Path, seconds: float = 8.0) -> Path:
    """Half a tone, half the same 20 dB lower: its loudness differs from any of its moments."""
    half = seconds / 2
    graph = f"sine=frequency=1000:sample_rate=48000:duration={half},volume=12dB[a];sine=frequency=1000:sample_rate=48000:duration={half},volume=-8dB[b];[a][b]concat=n=2:v=0:a=1"
    return encode(file, graph, "-ac", "2")


def encode(file: Path, source: str, *options: str) -> Path:
    """What a filter graph makes, in the format that the suffix names."""
    ffmpeg("-f", "lavfi", "-i", source, *options, *CODECS[file.suffix], file)
    return file


def with_cover(file: Path, seconds: float = 1.0, *, title: str = "With a cover") -> Path:
    """A tone with a PNG as its attached picture."""
    plain = tone(file.with_name(f"plain-{file.name}"), seconds)
    picture = file.with_name("cover.png")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=300x200:rate=1", "-frames:v", "1", picture)
    streams = ("-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v:0", "attached_pic")
    ffmpeg("-i", plain, "-i", picture, *streams, "-metadata", f"title={title}", file)
    return file


def video_with_sound(file: Path, seconds: float = 1.0) -> Path:
    """A film: moving pictures and a tone."""
    sources = (
        "-f",
        "lavfi",
        "-i",
        f"testsrc=size=64x64:rate=10:duration={seconds}",
        "-f",
        "lavfi",
        "-i",
        f"sine=duration={seconds}",
    )
    ffmpeg(*sources, "-c:v", "libx264", "-c:a", "aac", file)
    return file


def picture(file: Path) -> Path:
    """A PNG, whatever the name says."""
    file.write_bytes(
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-")
    )
    return file


def text(file: Path) -> Path:
    """Plain words, whatever the name says."""
    file.write_text("This is a letter, and no music at all.\n" * 50)
    return file


def empty(file: Path) -> Path:
    """No byte."""
    file.write_bytes(b"")
    return file


def truncated(file: Path, share: float = 0.5, seconds: float = 2.0) -> Path:
    """The first `share` of a noise's bytes, as a broken upload leaves them."""
    whole = noise(file.with_name(f"whole-{file.name}"), seconds)
    data = whole.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    return file


def streamed_wav(file: Path, seconds: float = 1.0) -> Path:
    """A WAV as a pipe leaves it: its header does not know its length."""
    file.write_bytes(ffmpeg("-f", "lavfi", "-i", f"sine=duration={seconds}", "-f", "wav", "-"))
    assert struct.unpack("<I", file.read_bytes()[4:8])[0] == 0xFFFFFFFF
    return file


def with_pictures(file: Path, *pictures: tuple[Path, str], seconds: float = 1.0) -> Path:
    """A tone with these attached pictures in this order, each with its type as ffmpeg calls it: `Cover (front)`, ..."""
    plain = tone(file.with_name(f"plain-{file.name}"), seconds)
    inputs = [word for picture, _ in pictures for word in ("-i", picture)]
    streams = [word for number, _ in enumerate(pictures, 1) for word in ("-map", f"{number}:v")]
    kinds = [
        word
        for number, (_, kind) in enumerate(pictures)
        for word in (f"-disposition:v:{number}", "attached_pic", f"-metadata:s:v:{number}", f"comment={kind}")
    ]
    ffmpeg("-i", plain, *inputs, "-map", "0:a", *streams, "-c", "copy", *kinds, file)
    return file


def with_raw_cover(file: Path, data: bytes, mime: str = "image/jpeg") -> Path:
    """An MP3 whose front cover holds these very bytes, under this media type (ID3v2.3 sections 3.3 and 4.15)."""
    content = b"\0" + mime.encode() + b"\0\x03\0" + data
    frame = b"APIC" + struct.pack(">I", len(content)) + b"\0\0" + content
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    plain = tone(file.with_name(f"plain-{file.name}"))
    sound = ffmpeg("-i", plain, "-c", "copy", "-id3v2_version", "0", "-f", "mp3", "-")
    file.write_bytes(b"ID3\x03\0\0" + size + frame + sound)
    return file
