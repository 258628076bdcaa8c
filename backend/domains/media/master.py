"""The master playlist of a version: every stream that plays, with what a player must know to choose (RFC 8216, 4.3.4)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from backend.db.models.media import Transcode, VersionStatus
from backend.db.session import database
from backend.domains.media.formats import CODECS, PLAYLIST, StreamFormat
from backend.domains.media.playlist import Playlist, read_playlist
from backend.storage import Bucket, hls_key, hls_prefix, master_key, storage


@dataclass(frozen=True)
class Variant:
    """One stream in the master playlist. Bit rates are in bits per second: the highest of any stretch, and the mean."""

    uri: str
    codecs: str
    peak: int
    average: int


def master_playlist(variants: Iterable[Variant]) -> str:
    """The playlist's text, the variants in the order given: a player that has no opinion takes the first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for each in variants:
        rates = f"BANDWIDTH={each.peak},AVERAGE-BANDWIDTH={each.average}"
        lines += [f'#EXT-X-STREAM-INF:{rates},CODECS="{each.codecs}"', each.uri]
    return "\n".join([*lines, ""])


def bit_rates(playlist: Playlist, sizes: dict[str, int]) -> tuple[int, int]:
    """The peak and the mean of a stream in bits per second. `sizes` is in bytes, by segment.

    The peak is taken over every set of neighbours that lasts from half to one and a half target durations.
    """
    segments = [(seconds, 8 * sizes[name]) for name, seconds in playlist.segments]
    average = sum(bits for _, bits in segments) / playlist.duration_s
    peak = average
    for start in range(len(segments)):
        seconds, bits = 0.0, 0
        for each_seconds, each_bits in segments[start:]:
            seconds, bits = seconds + each_seconds, bits + each_bits
            if seconds > 1.5 * playlist.target_s:
                break
            if seconds >= 0.5 * playlist.target_s:
                peak = max(peak, bits / seconds)
    return math.ceil(peak), math.ceil(average)


async def write_master(version_id: str, fresh: StreamFormat, home: Bucket) -> None:
    """Write the master playlist of the streams that play, and of `fresh`, which is in storage and plays next."""
    async with database().reading() as session:
        ready = await session.scalars(
            select(Transcode.format).filter_by(track_version_id=version_id, status=VersionStatus.READY)
        )
        names = {*ready, fresh}
    variants = [await _variant(version_id, format, home) for format in StreamFormat if format in names]
    await storage().put(master_key(version_id).within(home), master_playlist(variants).encode())


async def _variant(version_id: str, format: StreamFormat, home: Bucket) -> Variant:
    prefix = hls_prefix(version_id, format)
    playlist = read_playlist((await storage().read(hls_key(version_id, format, PLAYLIST).within(home))).decode())
    sizes = {info.key.path.removeprefix(prefix): info.size async for info in storage().list(home, prefix)}
    return Variant(f"{format}/{PLAYLIST}", CODECS[format], *bit_rates(playlist, sizes))
