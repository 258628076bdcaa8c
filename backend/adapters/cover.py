"""The cover inside a sound file: its bytes as they lie there, neither decoded nor believed."""

import asyncio
from pathlib import Path

from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from backend.adapters.probe import open_sound
from backend.errors import InvalidInput

FRONT = "cover (front)"  # libavformat's word for picture type 3 (ID3v2.4 section 4.14, and FLAC after it)


async def read_cover(file: Path) -> bytes | None:
    """The picture that a file carries, None without one. Of several the front cover is taken, else the first.

    What kind of picture it is, only its bytes say: tags err. Raises InvalidInput when the file cannot be opened.
    """
    return await asyncio.to_thread(_read, file)


def _read(file: Path) -> bytes | None:
    try:
        with open_sound(file) as container:
            pictures = [each for each in container.streams.video if each.disposition & Disposition.attached_pic]
            if not pictures:
                return None
            wanted = next(filter(_is_front, pictures), pictures[0])
            # libavformat gives attached pictures before all sound, so this reads no further.
            for packet in container.demux(pictures):
                if packet.stream.index == wanted.index:
                    return bytes(packet)
    except FFmpegError as error:
        raise InvalidInput(f"the file cannot be opened: upload it again ({error.strerror})", field="file") from error
    return None


def _is_front(picture: VideoStream) -> bool:
    return picture.metadata.get("comment", "").lower() == FRONT
