"""The cover of a track that has none: drawn from its id, so that the same track always looks the same."""

import colorsys
import hashlib

from PIL import Image, ImageDraw

SIDE = 1000
RINGS = 6


def draw_default(track_id: str) -> Image.Image:
    """A picture of 1000 x 1000 pixels: rings like a record's, in colours and at a place that the id decides."""
    digest = hashlib.sha256(track_id.encode()).digest()
    hue, apart = digest[0] / 256, 0.08 + digest[1] / 256 * 0.3
    centre = [SIDE * (0.2 + byte / 256 * 0.6) for byte in digest[2:4]]
    image = Image.new("RGB", (SIDE, SIDE), _colour(hue, 0.25))
    pen = ImageDraw.Draw(image)
    for ring in range(RINGS, 0, -1):
        radius = SIDE * (ring + digest[3 + ring] / 256) / (RINGS + 1)
        box = [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]
        share = 1 - ring / RINGS
        pen.ellipse(box, fill=_colour(hue + apart * share, 0.3 + 0.55 * share))
    return image


def _colour(hue: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, 0.55, value)
    return round(red * 255), round(green * 255), round(blue * 255)
