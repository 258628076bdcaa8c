"""What operators did."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base, now
from backend.db.ids import new_id


class AuditEntry(Base):
    """One action of a person or of a program with an operator's token. Never changed, never deleted."""

    __tablename__ = "audit_log"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str] = mapped_column(String(300))  # a DID, or who it was where nobody signs in
    via: Mapped[str] = mapped_column(String(20))  # desk | api | terminal
    action: Mapped[str] = mapped_column(String(50))  # such as run.requeue
    target: Mapped[str] = mapped_column(String(500))  # what it was done to
    details: Mapped[dict[str, Any] | None]  # what else is worth knowing, without secrets
