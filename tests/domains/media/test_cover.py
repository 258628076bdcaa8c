"""Whatever the picture was, the cover is a JPEG; what cannot be one is refused before it costs anything."""

import tracemalloc

import pytest
from PIL import Image

from backend.domains.media.cover import LONGEST_SIDE, UnusableCover, make_cover
from tests.domains.media.pictures import encoded, huge_png, opened, plain


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_s09_every_kind_becomes_a_jpeg(kind: str) -> None:
    cover = make_cover(plain(kind))
    picture, thumbnail = opened(cover.picture), opened(cover.thumbnail)
    assert (picture.format, picture.size, thumbnail.format, thumbnail.size) == (
        "JPEG", (300, 200), "JPEG", (200, 200)
    )  # fmt: skip
    red, green, blue = picture.getpixel((150, 100))
    assert red > 240
    assert green < 15
    assert blue < 15


def test_the_thumbnail_is_the_middle_and_nothing_is_squeezed() -> None:
    image = Image.new("RGB", (600, 200), "red")
    image.paste("blue", (200, 0, 400, 200))
    thumbnail = opened(make_cover(encoded(image, "PNG")).thumbnail)
    for x in (10, 100, 190):
        assert thumbnail.getpixel((x, 100))[2] > 200


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new(mode, (64, 64), 40_000 if mode == "I;16" else 0)
    picture = opened(make_cover(encoded(image, "TIFF" if mode == "CMYK" else "PNG")).picture)
    assert picture.mode == "RGB"
    if mode == "I;16":
        assert picture.getpixel((5, 5))[0] == pytest.approx(40_000 / 256, abs=3)
    if mode in ("LA", "RGBA"):
        assert min(picture.getpixel((5, 5))) > 250  # what is transparent is white


def test_a_photograph_stands_upright_and_says_nothing_of_its_camera() -> None:
    image = Image.new("RGB", (100, 50), "red")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    picture = opened(make_cover(encoded(image, "JPEG", exif=exif)).picture)
    assert picture.size == (50, 100)
    assert dict(picture.getexif()) == {}


def test_a_large_picture_is_made_smaller() -> None:
    assert opened(make_cover(plain("JPEG", (5000, 2500))).picture).size == (LONGEST_SIDE, LONGEST_SIDE // 2)


def test_a_picture_longer_than_a_jpeg_may_be() -> None:
    assert opened(make_cover(plain("PNG", (70_000, 2))).picture).size == (LONGEST_SIDE, 1)


@pytest.mark.parametrize("side", [7_000, 10_000, 20_000])
def test_a_cover_of_100_megapixels_is_refused_and_never_decoded(side: int) -> None:
    data = huge_png(side, side)
    tracemalloc.start()
    with pytest.raises(UnusableCover, match="at most 40 megapixels"):
        make_cover(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about a TIFF that ends too early
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"this is no picture",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        plain("PNG")[:60],
        plain("JPEG")[:300],
        plain("PNG")[:45] + b"\xff" * 600,
        plain("GIF")[:20],
        plain("TIFF")[:100],
        plain("WEBP")[:30],
    ],
    ids=["empty", "text", "postscript", "cut png", "cut jpeg", "garbled png", "cut gif", "cut tiff", "cut webp"],
)
def test_what_is_no_whole_picture_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(UnusableCover, match=r"^the cover is (broken|no picture)"):
        make_cover(data)
