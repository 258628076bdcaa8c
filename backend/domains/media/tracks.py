"""Tracks as the platform shows them: what was uploaded, where it stands, and where its files are fetched."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models.media import Asset, Track, TrackVersion, Transcode, VersionStatus, Waveform
from backend.db.session import database
from backend.domains.media.access import NOBODY, Person, may_hear, must_hear
from backend.domains.media.formats import PLAYLIST, StreamFormat
from backend.domains.media.gated import link_lifetime
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
    """Where the waveform is fetched: as audiowaveform JSON or binary data, and as a PNG of 1800 x 280 pixels."""

    json_url: str
    dat_url: str | None  # null when it was drawn before there was one
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
    """A track with the version it shows. Of a gated one only its owner sees where its files are fetched.

    `artwork` is null until it was made.
    """

    id: str
    title: str
    artist: str | None
    gated: bool
    play_count: int
    artwork: ArtworkView | None
    version: VersionView
    created_at: datetime


async def get_track(track_id: str, person: Person = NOBODY) -> TrackView:
    """A track as it stands now, as this person may see it. Raises NotFound."""
    async with database().reading() as session:
        track, version, asset = await find_shown(session, track_id)
        streams = {
            stream.format: stream
            for stream in await session.scalars(select(Transcode).filter_by(track_version_id=version.id))
        }
        heard, home = may_hear(person, track), Bucket(version.home)
        views = [
            await _stream(streams[format], home if heard else None) for format in StreamFormat if format in streams
        ]
        waveform = await session.get(Waveform, version.id)
        artwork = await _artwork(session, track) if heard else None
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
        master_url=await _url(master_key(version.id).within(home)) if any(view.url for view in views) else None,
        streams=tuple(views),
        waveform=await _waveform(waveform, home) if waveform and heard else None,
        loudness=_loudness(version),
        created_at=version.created_at,
    )
    named = (track.id, track.title, track.artist, track.gated, track.play_count)
    return TrackView(*named, artwork, view, track.created_at)


async def stream_object(track_id: str, format: str, name: str = PLAYLIST, person: Person = NOBODY) -> ObjectKey:
    """A playlist or a segment of the version a track shows. It lies in the private bucket when the track is gated.

    Raises NotFound while that format does not play, and SignInRequired or Forbidden when the person may not hear it.
    """
    async with database().reading() as session:
        track, version, _ = await find_shown(session, track_id)
        must_hear(person, track)
        stream = await session.get(Transcode, (version.id, format))
    if stream is None or stream.status != VersionStatus.READY:
        raise NotFound(f"track {track_id} has no stream {format!r} that plays", field="format")
    return hls_key(version.id, stream.format, name).within(Bucket(version.home))


async def master_object(track_id: str, person: Person = NOBODY) -> ObjectKey:
    """The master playlist of the version a track shows. Raises as `stream_object` does."""
    async with database().reading() as session:
        track, version, _ = await find_shown(session, track_id)
        must_hear(person, track)
        plays = select(Transcode.format).filter_by(track_version_id=version.id, status=VersionStatus.READY)
        if await session.scalar(plays.limit(1)) is None:
            raise NotFound(f"track {track_id} has no stream that plays", field="track_id")
    return master_key(version.id).within(Bucket(version.home))


async def waveform_object(track_id: str, suffix: str, person: Person = NOBODY) -> ObjectKey:
    """The waveform of the version a track shows: `.json`, `.dat` or `.png`. Raises as `stream_object`."""
    async with database().reading() as session:
        track, version, _ = await find_shown(session, track_id)
        must_hear(person, track)
        waveform = await session.get(Waveform, version.id)
    if waveform is None or suffix not in _kinds(waveform):
        raise NotFound(f"track {track_id} has no waveform {suffix!r}", field="track_id")
    return waveform_key(version.id, suffix).within(Bucket(version.home))


async def _stream(stream: Transcode, home: Bucket | None) -> StreamView:
    plays = home is not None and stream.status == VersionStatus.READY
    key = hls_key(stream.track_version_id, stream.format, PLAYLIST)
    url = await _url(key.within(home)) if home and plays else None
    return StreamView(stream.format, stream.status, stream.error, url, stream.updated_at)


async def _waveform(waveform: Waveform, home: Bucket) -> WaveformView:
    urls = {kind: await _url(waveform_key(waveform.track_version_id, kind).within(home)) for kind in _kinds(waveform)}
    return WaveformView(urls[".json"], urls.get(".dat"), urls[".png"], waveform.updated_at)


def _kinds(waveform: Waveform) -> tuple[str, ...]:
    return (".json", ".dat", ".png") if waveform.dat_asset_id else (".json", ".png")


async def _url(key: ObjectKey) -> str:
    return await storage().url(key, link_lifetime())


async def _artwork(session: AsyncSession, track: Track) -> ArtworkView | None:
    found = [await session.get(Asset, each) for each in (track.artwork_asset_id, track.artwork_thumb_asset_id) if each]
    urls = [await _url(ObjectKey(Bucket(asset.bucket), asset.key)) for asset in found if asset]
    return ArtworkView(*urls, track.artwork_source or "", track.artwork_note) if len(urls) == 2 else None


def _loudness(version: TrackVersion) -> LoudnessView | None:
    figures = (version.loudness_lufs, version.loudness_range, version.true_peak, version.loudness_note)
    return LoudnessView(*figures) if any(figure is not None for figure in figures) else None
