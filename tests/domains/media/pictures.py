"""Pictures for the tests of covers, as bytes."""

import io
import struct
import zlib

from PIL import Image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture in a format."""
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def plain(kind: str = "PNG", size: tuple[int, int] = (300, 200), colour: str = "red") -> bytes:
    """One colour."""
    return encoded(Image.new("RGB", size, colour), kind)


def opened(data: bytes) -> Image.Image:
    """Bytes as a picture, decoded to its end."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def huge_png(width: int, height: int) -> bytes:
    """A small file that says it is a picture of this size: one bit a pixel, all zero."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes((width + 7) // 8 + 1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
