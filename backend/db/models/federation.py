"""The tables of people: who is signed in, and the accounts whose servers we write to."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now
from backend.db.ids import new_id


class SignIn(Base):
    """One sign-in of an account. Its token is not here: only what the token hashes to."""

    __tablename__ = "sign_ins"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256, hex
    did: Mapped[str] = mapped_column(String(255), index=True)
    role: Mapped[str] = mapped_column(String(20))  # artist | viewer | operator | admin
    note: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AccountState(StrEnum):
    """Whether work can be done in an account's name."""

    ACTIVE = "active"
    SIGNED_OUT = "signed_out"  # its owner signed out everywhere
    EXPIRED = "expired"  # its server does not take our credentials any more


class Account(Base):
    """An account of the AT Protocol that signed in here at least once."""

    __tablename__ = "accounts"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    handle: Mapped[str] = mapped_column(String(253))
    pds_url: Mapped[str] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(20), default=AccountState.ACTIVE)
    reason: Mapped[str | None] = mapped_column(String(500))  # why it is not active
    credentials: Mapped[str | None] = mapped_column(Text)  # encrypted
    generation: Mapped[int] = mapped_column(default=0)  # goes up with each change of the credentials
    refreshing: Mapped[str | None] = mapped_column(String(36))  # who fetches new ones at the moment
    refreshing_until: Mapped[datetime | None]  # after this, somebody else may
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Revocation(Base):
    """Credentials that nobody uses any more and that their server still takes: to be revoked there."""

    __tablename__ = "revocations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    did: Mapped[str] = mapped_column(String(255))
    pds_url: Mapped[str] = mapped_column(String(500))
    credentials: Mapped[str] = mapped_column(Text)  # encrypted
    created_at: Mapped[datetime] = mapped_column(default=now)


class SignInAttempt(Base):
    """One attempt to sign in, successful or not. What was typed is not here, only what it hashes to."""

    __tablename__ = "sign_in_attempts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    subject: Mapped[str] = mapped_column(String(64))  # SHA-256 of a name or of an address
    at: Mapped[datetime] = mapped_column(default=now, index=True)

    __table_args__ = (Index("ix_sign_in_attempts_subject_at", "subject", "at"),)


class OAuthRequest(Base):
    """A sign-in by OAuth that waits for its owner's decision at the authorization server. Taken once, then gone."""

    __tablename__ = "oauth_requests"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256, hex
    browser_hash: Mapped[str] = mapped_column(String(64))  # of what the browser that began holds
    did: Mapped[str] = mapped_column(String(255))
    issuer: Mapped[str] = mapped_column(String(500))
    secrets: Mapped[str] = mapped_column(Text)  # PKCE verifier and DPoP key, encrypted
    return_to: Mapped[str] = mapped_column(String(500))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PdsRecord(Base):
    """A record on somebody's own server: as it should be, and as it was last written there.

    Its key is chosen with the row, so its address is known before it is written, and a repeat writes the same record.
    """

    __tablename__ = "pds_records"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    did: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(30))  # track | like | comment | list | actor.profile
    subject: Mapped[str] = mapped_column(String(500))  # what of ours it is about; one record of a kind for each
    collection: Mapped[str] = mapped_column(String(317))
    rkey: Mapped[str] = mapped_column(String(512))
    wanted: Mapped[dict[str, Any] | None]  # null: it should not be there
    wanted_revision: Mapped[int] = mapped_column(default=0)  # goes up with each wish
    written_revision: Mapped[int] = mapped_column(default=0)  # the wish that the server has
    cid: Mapped[str | None] = mapped_column(String(256))  # what the server has, as far as we know
    error: Mapped[str | None] = mapped_column(Text)  # why the last attempt to write failed
    refused: Mapped[bool] = mapped_column(default=False)  # and a repeat would be refused as well
    writer: Mapped[str | None] = mapped_column(String(36))  # the run that writes at the moment
    writer_until: Mapped[datetime | None]  # after this, another one may
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    __table_args__ = (
        UniqueConstraint("did", "kind", "subject", name="uq_pds_records_did_kind_subject"),
        UniqueConstraint("did", "collection", "rkey", name="uq_pds_records_did_collection_rkey"),
        Index("ix_pds_records_unwritten", "updated_at",
              postgresql_where=text("written_revision <> wanted_revision"),
              sqlite_where=text("written_revision <> wanted_revision")),
    )  # fmt: skip


class SavedAudio(Base):
    """The sound of a track that its artist wants on their own server, and what is there of it."""

    __tablename__ = "saved_audio"

    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True)
    version_id: Mapped[str | None] = mapped_column(String(36))  # whose sound was saved last
    what: Mapped[str | None] = mapped_column(String(20))  # original, or the format of a stream
    blob: Mapped[dict[str, Any] | None]  # as records name it; null: no record does, so the server has dropped it
    saved_at: Mapped[datetime | None]


class Like(Base):
    """Somebody likes a track."""

    __tablename__ = "likes"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Comment(Base):
    """What somebody says about a moment of a track."""

    __tablename__ = "comments"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"))
    did: Mapped[str] = mapped_column(String(255))  # who says it
    text: Mapped[str] = mapped_column(Text)
    timestamp_ms: Mapped[int] = mapped_column(BigInteger)  # the moment, from the start
    hidden_at: Mapped[datetime | None]  # the track's owner does not show it
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime | None]  # null: never changed

    __table_args__ = (Index("ix_comments_track_id_id", "track_id", "id"),)


class Preferences(Base):
    """What an account chose. No row: the defaults."""

    __tablename__ = "preferences"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    allow_comments: Mapped[bool] = mapped_column(default=True, server_default=true())  # on their tracks
    scrobble: Mapped[bool] = mapped_column(default=False, server_default=false())  # what they hear


class Play(Base):
    """Somebody heard a track."""

    __tablename__ = "plays"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"))
    did: Mapped[str | None] = mapped_column(String(255))  # null: nobody who is known
    listener: Mapped[str] = mapped_column(String(255))  # tells one listener of a track from the next
    played_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("ix_plays_track_id_listener_played_at", "track_id", "listener", "played_at"),
        Index("ix_plays_did_played_at", "did", "played_at"),
    )


class Album(Base):
    """Tracks of one artist under one title, in the artist's order."""

    __tablename__ = "albums"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    artist_did: Mapped[str] = mapped_column(String(255), index=True)
    title: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=now)


class AlbumTrack(Base):
    """A track's place in an album."""

    __tablename__ = "album_tracks"

    album_id: Mapped[str] = mapped_column(ForeignKey("albums.id", ondelete="CASCADE"), primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]  # from 0; a track that was removed leaves a gap


class Profile(Base):
    """What an account says of itself: here, and in its public profile in the network."""

    __tablename__ = "profiles"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    bio: Mapped[str | None] = mapped_column(Text)  # said here; null: the public profile's description is used
    display_name: Mapped[str | None] = mapped_column(Text)  # these three as the public profile was last read
    description: Mapped[str | None] = mapped_column(Text)
    avatar_url: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(default=now)
