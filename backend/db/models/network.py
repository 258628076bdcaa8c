"""The tables of what is read from the network: how far, whose records there are elsewhere, and who is away."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now


class Reading(Base):
    """How far a stream of the network was read. The cursor moves in the transaction that keeps what came before it."""

    __tablename__ = "readings"

    url: Mapped[str] = mapped_column(String(500), primary_key=True)  # a cursor of one source means nothing to another
    cursor: Mapped[int] = mapped_column(BigInteger, default=0)  # of the last event that was kept; 0: from the start
    event_at: Mapped[datetime | None]  # when that event happened, as the source says
    read_at: Mapped[datetime] = mapped_column(default=now)  # when the source was last listened to
    missed_at: Mapped[datetime | None]  # when it last said that it no longer has all that followed the cursor


class KnownRecord(Base):
    """A record of one of our kinds that somebody wrote elsewhere, as the stream showed it last."""

    __tablename__ = "known_records"

    uri: Mapped[str] = mapped_column(String(1000), primary_key=True)
    did: Mapped[str] = mapped_column(String(255), index=True)
    collection: Mapped[str] = mapped_column(String(317))
    cid: Mapped[str] = mapped_column(String(256))
    record: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime] = mapped_column(default=now)


class AwayAccount(Base):
    """An account that its own server does not show at the moment, so neither do we. Back again, it has no row."""

    __tablename__ = "away_accounts"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    status: Mapped[str] = mapped_column(String(50))  # deactivated, takendown, suspended, ... as its server says
    since: Mapped[datetime] = mapped_column(default=now)
