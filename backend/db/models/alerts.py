"""What the operator was told: the troubles that are open, and the notices that went out."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now


class Trouble(Base):
    """Something that needs a person. Its row stays a while after its end, so that it is not told of again too soon."""

    __tablename__ = "troubles"

    subject: Mapped[str] = mapped_column(String(300), primary_key=True)  # such as dead:transcode_version
    text: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(default=now)
    told_at: Mapped[datetime] = mapped_column(default=now)  # when the operator was last told that it is there
    resolved_at: Mapped[datetime | None]


class SentNotice(Base):
    """A notice that a channel took."""

    __tablename__ = "sent_notices"

    notice_id: Mapped[str] = mapped_column(String(500), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(default=now, index=True)
