"""A picture of unknown kind becomes the JPEG files of a cover: pure, from bytes to bytes."""

import io
import threading
from dataclasses import dataclass

from PIL import Image, ImageOps

MOST_PIXELS = 40_000_000
LONGEST_SIDE = 3000
THUMBNAIL = (200, 200)
QUALITY = 88
BACKGROUND = (255, 255, 255)  # under what is transparent
KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")  # no format that runs a program or reads other files

# A decoded picture may take four bytes a pixel. One at a time, so that several runs do not need several times that.
_decoding = threading.Lock()


@dataclass(frozen=True)
class Cover:
    """A cover as two JPEG files. The thumbnail has 200 x 200 pixels: the middle, with nothing squeezed."""

    picture: bytes
    thumbnail: bytes


class UnusableCover(Exception):
    """A picture that cannot be a cover. Its text says why, for people."""


def make_cover(data: bytes) -> Cover:
    """Encode a picture anew, whatever its name says: upright, at most 3000 pixels long, without its metadata.

    Raises UnusableCover when it is no picture, broken, or of more than 40 megapixels. The size is read from its header,
    so nothing that large is ever decoded.
    """
    with _decoding:
        try:
            with _open(data) as image:
                return as_files(_upright(image))
        # What Pillow's decoders raise on bytes that lie.
        except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError, OverflowError) as error:
            raise UnusableCover(f"the cover is broken: {str(error)[:150]}") from error


def as_files(image: Image.Image) -> Cover:
    """An RGB picture as the two files."""
    return Cover(_jpeg(image), _jpeg(ImageOps.fit(image, THUMBNAIL, Image.Resampling.LANCZOS)))


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=KINDS)
    # The second is raised only where warnings are errors; else the check below meets the same picture.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableCover(_too_large(str(error))) from error
    except Image.UnidentifiedImageError as error:
        raise UnusableCover(f"the cover is no picture that can be used: embed one as {', '.join(KINDS)}") from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        image.close()
        raise UnusableCover(_too_large(f"{width:,} x {height:,}"))
    return image


def _too_large(size: str) -> str:
    return f"the cover is too large: at most {MOST_PIXELS // 1_000_000} megapixels, got {size}"


def _upright(image: Image.Image) -> Image.Image:
    # A JPEG is decoded at a fraction of its size where that is enough.
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    image = _rgb(image)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return image


def _rgb(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # 16 bits a pixel
        return turned.point(lambda value: value / 256).convert("L").convert("RGB")
    if turned.has_transparency_data:
        layered = turned.convert("RGBA")
        flat = Image.new("RGB", layered.size, BACKGROUND)
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return turned.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY, optimize=True)
    return written.getvalue()
