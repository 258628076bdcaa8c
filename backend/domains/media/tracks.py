"""Tracks as the platform shows them: what was uploaded, where it stands, and where its files are fetched."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models.media import Asset, Track, TrackVersion, Transcode, VersionStatus, Waveform
from backend.db.session import database
from backend.domains.media.formats import PLAYLIST, StreamFormat
from backend.domains.media.shown import find_shown
from backend.errors import NotFound
from backend.storage import Bucket, ObjectKey, hls_key, master_key, storage, waveform_key


@dataclass(frozen=True)
class StreamView:
    """A version in one format. `url` leads to its playlist, whose segments lie beside it; null until it plays."""

    format: str
    status: str
    error: str | None
    url: str | None
    updated_at: datetime


@dataclass(frozen=True)
class WaveformView:
    """Where the waveform is fetched: as audiowaveform JSON, and as a PNG of 1800 x 280 pixels."""

    json_url: str
    png_url: str
    updated_at: datetime


@dataclass(frozen=True)
class LoudnessView:
    """EBU R128 figures. Null where the sound has no such figure; then `note` says why."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    note: str | None


@dataclass(frozen=True)
class OriginalView:
    """The uploaded file. `filename` is what the uploader called it."""

    filename: str | None
    mime: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True)
class VersionView:
    """One upload of a track. What has not been measured or made yet is null."""

    id: str
    status: str
    error: str | None
    original: OriginalView
    codec: str | None
    duration_s: float | None
    sample_rate: int | None
    channels: int | None
    lossless: bool | None
    master_url: str | None  # leads to every stream that plays; null until one does
    streams: tuple[StreamView, ...]
    waveform: WaveformView | None
    loudness: LoudnessView | None
    created_at: datetime


@dataclass(frozen=True)
class ArtworkView:
    """Where the picture and its thumbnail of 200 x 200 pixels are fetched, both JPEG.

    `source` is `embedded` for the upload's own cover, `generated` for one that was drawn; `note` says why the upload's
    is not used.
    """

    url: str
    thumbnail_url: str
    source: str
    note: str | None


@dataclass(frozen=True)
class TrackView:
    """A track with the version it shows. `artwork` is null until it was made."""

    id: str
    title: str
    artist: str | None
    artwork: ArtworkView | None
    version: VersionView
    created_at: datetime


async def get_track(track_id: str) -> TrackView:
    """A track as it stands now. Raises NotFound."""
    async with database().reading() as session:
        track, version, asset = await find_shown(session, track_id)
        streams = {
            stream.format: stream
            for stream in await session.scalars(select(Transcode).filter_by(track_version_id=version.id))
        }
        views = [await _stream(streams[format]) for format in StreamFormat if format in streams]
        waveform = await session.get(Waveform, version.id)
        artwork = await _artwork(session, track)
    view = VersionView(
        id=version.id,
        status=version.status,
        error=version.error,
        original=OriginalView(asset.filename, asset.mime, asset.size_bytes, asset.sha256),
        codec=version.codec,
        duration_s=version.duration_s,
        sample_rate=version.sample_rate,
        channels=version.channels,
        lossless=version.lossless,
        master_url=await storage().url(master_key(version.id)) if any(view.url for view in views) else None,
        streams=tuple(views),
        waveform=await _waveform(waveform) if waveform else None,
        loudness=_loudness(version),
        created_at=version.created_at,
    )
    return TrackView(track.id, track.title, track.artist, artwork, view, track.created_at)


async def stream_object(track_id: str, format: str, name: str = PLAYLIST) -> ObjectKey:
    """A playlist or a segment of the version a track shows. Raises NotFound while that format does not play."""
    async with database().reading() as session:
        _, version, _ = await find_shown(session, track_id)
        stream = await session.get(Transcode, (version.id, format))
    if stream is None or stream.status != VersionStatus.READY:
        raise NotFound(f"track {track_id} has no stream {format!r} that plays", field="format")
    return hls_key(version.id, stream.format, name)


async def master_object(track_id: str) -> ObjectKey:
    """The master playlist of the version a track shows. Raises NotFound while nothing plays."""
    async with database().reading() as session:
        _, version, _ = await find_shown(session, track_id)
        plays = select(Transcode.format).filter_by(track_version_id=version.id, status=VersionStatus.READY)
        if await session.scalar(plays.limit(1)) is None:
            raise NotFound(f"track {track_id} has no stream that plays", field="track_id")
    return master_key(version.id)


async def waveform_object(track_id: str, suffix: str) -> ObjectKey:
    """The waveform of the version a track shows, `.json` or `.png`. Raises NotFound while there is none."""
    async with database().reading() as session:
        _, version, _ = await find_shown(session, track_id)
        waveform = await session.get(Waveform, version.id)
    if waveform is None or suffix not in (".json", ".png"):
        raise NotFound(f"track {track_id} has no waveform {suffix!r}", field="track_id")
    return waveform_key(version.id, suffix)


async def _stream(stream: Transcode) -> StreamView:
    plays = stream.status == VersionStatus.READY
    url = await storage().url(hls_key(stream.track_version_id, stream.format, PLAYLIST)) if plays else None
    return StreamView(stream.format, stream.status, stream.error, url, stream.updated_at)


async def _waveform(waveform: Waveform) -> WaveformView:
    data, picture = [await storage().url(waveform_key(waveform.track_version_id, end)) for end in (".json", ".png")]
    return WaveformView(data, picture, waveform.updated_at)


async def _artwork(session: AsyncSession, track: Track) -> ArtworkView | None:
    found = [await session.get(Asset, each) for each in (track.artwork_asset_id, track.artwork_thumb_asset_id) if each]
    urls = [await storage().url(ObjectKey(Bucket(asset.bucket), asset.key)) for asset in found if asset]
    return ArtworkView(*urls, track.artwork_source or "", track.artwork_note) if len(urls) == 2 else None


def _loudness(version: TrackVersion) -> LoudnessView | None:
    figures = (version.loudness_lufs, version.loudness_range, version.true_peak, version.loudness_note)
    return LoudnessView(*figures) if any(figure is not None for figure in figures) else None
