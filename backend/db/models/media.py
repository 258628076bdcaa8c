"""The media tables: tracks, their versions, and what was made of them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now
from backend.db.ids import new_id


class VersionStatus(StrEnum):
    """Where a version stands. `ready` stays `ready` while it is made again."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class StreamStatus(StrEnum):
    """Where one stream of a version stands: as a version does, or it may not be made at all."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    SKIPPED = "skipped"  # its error says why


class Track(Base):
    """What an artist uploaded, under one title."""

    __tablename__ = "tracks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    title: Mapped[str] = mapped_column(String(500))
    artist: Mapped[str | None] = mapped_column(String(500))
    artist_did: Mapped[str | None] = mapped_column(String(255), index=True)  # the account it belongs to
    # No foreign keys: the two tables would refer to each other, and neither row could be the first.
    current_version_id: Mapped[str | None] = mapped_column(String(36))  # the version that is shown and played
    next_version_id: Mapped[str | None] = mapped_column(String(36), index=True)  # takes its place once it is ready
    gated: Mapped[bool] = mapped_column(default=False, server_default=false())  # only its owner may hear it
    play_count: Mapped[int] = mapped_column(default=0, server_default="0")
    artwork_asset_id: Mapped[str | None] = mapped_column(ForeignKey("assets.id"), index=True)
    artwork_thumb_asset_id: Mapped[str | None] = mapped_column(ForeignKey("assets.id"), index=True)
    artwork_source: Mapped[str | None] = mapped_column(String(20))  # embedded | generated
    artwork_note: Mapped[str | None] = mapped_column(String(300))  # why the file's own cover is not used
    created_at: Mapped[datetime] = mapped_column(default=now)


class TrackVersion(Base):
    """One upload of a track, with what was measured on it."""

    __tablename__ = "track_versions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"), index=True)
    original_asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    status: Mapped[str] = mapped_column(String(20), default=VersionStatus.PENDING)
    error: Mapped[str | None] = mapped_column(Text)
    codec: Mapped[str | None] = mapped_column(String(50))
    duration_s: Mapped[float | None]
    sample_rate: Mapped[int | None]
    channels: Mapped[int | None]
    lossless: Mapped[bool | None]
    loudness_lufs: Mapped[float | None]  # integrated, EBU R128; null when gated
    loudness_range: Mapped[float | None]  # LU
    true_peak: Mapped[float | None]  # dBTP; null for digital silence
    loudness_note: Mapped[str | None] = mapped_column(String(200))  # why a loudness figure is null
    home: Mapped[str] = mapped_column(
        String(20), default="public", server_default="public"
    )  # bucket of what was made of it
    writes: Mapped[int] = mapped_column(default=0, server_default="0")  # counts what was published there
    created_at: Mapped[datetime] = mapped_column(default=now)


class Asset(Base):
    """One object in storage."""

    __tablename__ = "assets"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    bucket: Mapped[str] = mapped_column(String(20))  # private | public
    key: Mapped[str] = mapped_column(String(500))
    mime: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    filename: Mapped[str | None] = mapped_column(String(500))  # as the uploader named it; never a path
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("bucket", "key"),)


class Transcode(Base):
    """A version in one streaming format."""

    __tablename__ = "transcodes"

    track_version_id: Mapped[str] = mapped_column(ForeignKey("track_versions.id", ondelete="CASCADE"), primary_key=True)
    format: Mapped[str] = mapped_column(String(20), primary_key=True)
    status: Mapped[str] = mapped_column(String(20), default=StreamStatus.PROCESSING)
    playlist_asset_id: Mapped[str | None] = mapped_column(ForeignKey("assets.id"), index=True)
    segment_prefix_key: Mapped[str] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(36))  # that made what plays
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Waveform(Base):
    """The waveform of a version, as data in two formats and as a picture."""

    __tablename__ = "waveforms"

    track_version_id: Mapped[str] = mapped_column(ForeignKey("track_versions.id", ondelete="CASCADE"), primary_key=True)
    json_asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    png_asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    dat_asset_id: Mapped[str | None] = mapped_column(ForeignKey("assets.id"), index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Export(Base):
    """An archive of everything an artist uploaded. Where its making stands, its run says."""

    __tablename__ = "exports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    artist_did: Mapped[str] = mapped_column(String(255), index=True)
    run_id: Mapped[str | None] = mapped_column(String(36), index=True)
    tracks: Mapped[int | None]  # that are in it
    skipped: Mapped[int | None]  # that are not, as its manifest says
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    removed_at: Mapped[datetime | None]  # its object is gone


class CopyrightScan(Base):
    """What is known of a version's copyright, and whether a labeler has settled it."""

    __tablename__ = "copyright_scans"

    track_version_id: Mapped[str] = mapped_column(ForeignKey("track_versions.id", ondelete="CASCADE"), primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"), index=True)
    finding: Mapped[str] = mapped_column(String(20), index=True)  # clear | flagged | unknown
    dominant_artist: Mapped[str | None] = mapped_column(Text)
    dominant_title: Mapped[str | None] = mapped_column(Text)
    dominant_percent: Mapped[float | None]  # of all matches
    sustained_songs: Mapped[int | None]
    own_matches: Mapped[int | None]
    matches: Mapped[list[Any] | None]
    error: Mapped[str | None] = mapped_column(Text)  # why the last scan came to nothing
    scanned_at: Mapped[datetime] = mapped_column(default=now)
    notified_at: Mapped[datetime | None]  # the operator was told of the flag
    resolved_at: Mapped[datetime | None]  # a labeler took its label back


class Genres(Base):
    """The genres that a model hears in a version."""

    __tablename__ = "genres"

    track_version_id: Mapped[str] = mapped_column(ForeignKey("track_versions.id", ondelete="CASCADE"), primary_key=True)
    prediction_id: Mapped[str | None] = mapped_column(String(100))  # under way at the service
    genres: Mapped[list[Any] | None]  # {name, confidence}, the most likely first
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class UnreferencedObject(Base):
    """An object that a sweep found without any reference. It goes when its time of grace is over."""

    __tablename__ = "unreferenced_objects"

    bucket: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(500), primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)


class AudioFingerprint(Base):
    """What a version sounds like: Chromaprint's numbers of 32 bits, least significant byte first."""

    __tablename__ = "audio_fingerprints"

    # A number, and never used again: the index below holds tens of them for every track.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    track_version_id: Mapped[str] = mapped_column(ForeignKey("track_versions.id", ondelete="CASCADE"), unique=True)
    algorithm: Mapped[int]
    numbers: Mapped[bytes | None]
    note: Mapped[str | None] = mapped_column(String(200))  # why there are no numbers
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    __table_args__ = ({"sqlite_autoincrement": True},)


class FingerprintTerm(Base):
    """One of the numbers by which a fingerprint is found."""

    __tablename__ = "fingerprint_terms"

    term: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    fingerprint_id: Mapped[int] = mapped_column(
        ForeignKey("audio_fingerprints.id", ondelete="CASCADE"), primary_key=True, index=True, autoincrement=False
    )

    __table_args__ = ({"sqlite_with_rowid": False},)


class Report(Base):
    """What somebody should look at."""

    __tablename__ = "reports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(200), unique=True)  # the same thing is reported once
    target_type: Mapped[str] = mapped_column(String(20))
    target_id: Mapped[str] = mapped_column(String(36), index=True)
    related_id: Mapped[str | None] = mapped_column(String(36), index=True)  # the other one of a pair
    reason: Mapped[str] = mapped_column(String(20))
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), index=True)
    decided_by: Mapped[str | None] = mapped_column(String(255))
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
