"""What an HLS media playlist says (RFC 8216, section 4.3), as far as our own need it."""

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Playlist:
    """A media playlist. Durations are in seconds."""

    target_s: int
    init: str | None
    segments: tuple[tuple[str, float], ...]
    ended: bool

    @property
    def duration_s(self) -> float:
        """The sum of its segments."""
        return sum(seconds for _, seconds in self.segments)

    @property
    def files(self) -> list[str]:
        """Everything it refers to."""
        return [*([self.init] if self.init else []), *(name for name, _ in self.segments)]


def read_playlist(text: str) -> Playlist:
    """Read a playlist. Lines that we never write are skipped."""
    target = re.search(r"^#EXT-X-TARGETDURATION:(\d+)", text, re.MULTILINE)
    init = re.search(r'^#EXT-X-MAP:.*?URI="([^"]+)"', text, re.MULTILINE)
    segments = re.findall(r"^#EXTINF:([\d.]+),.*\n(?:#.*\n)*([^#\s].*)$", text, re.MULTILINE)
    return Playlist(
        int(target[1]) if target else 0,
        init[1] if init else None,
        tuple((name.strip(), float(seconds)) for seconds, name in segments),
        "\n#EXT-X-ENDLIST" in text,
    )


def with_kept_promise(text: str) -> str:
    """The playlist with a target duration that no segment exceeds.

    Frames do not divide a segment's length, so some segments are a little longer than asked for. RFC 8216 lets a player
    round them down; one that does not would be right to complain.
    """
    longest = max((seconds for _, seconds in read_playlist(text).segments), default=0.0)
    return re.sub(
        r"^(#EXT-X-TARGETDURATION:)(\d+)",
        lambda found: f"{found[1]}{max(int(found[2]), math.ceil(longest))}",
        text,
        flags=re.MULTILINE,
    )
