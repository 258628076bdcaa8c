"""Attempts to sign in: so many for one name and from one address, then a pause."""

import hashlib
from datetime import timedelta

from sqlalchemy import func, select

from backend.db.base import now
from backend.db.models.federation import SignInAttempt
from backend.db.session import unit_of_work
from backend.errors import RateLimited
from backend.settings import get_settings


async def note_attempt(identifier: str, address: str) -> None:
    """Count one more. Raises RateLimited, with the time to wait, when there were too many; that one does not count."""
    settings = get_settings().accounts
    window = timedelta(seconds=settings.sign_in_window_s)
    subjects = [_hash(f"name {identifier.strip().lower()}"), _hash(f"address {address}")]
    async with unit_of_work() as unit:
        moment = now()
        recent = (
            select(SignInAttempt.subject, func.count(), func.min(SignInAttempt.at))
            .where(SignInAttempt.subject.in_(subjects), SignInAttempt.at > moment - window)
            .group_by(SignInAttempt.subject)
        )
        for _, count, first in (await unit.connection.execute(recent)).all():
            if count >= settings.sign_in_attempts:
                wait = first + window - moment
                raise RateLimited(f"too many sign-ins were tried: wait {wait.total_seconds():.0f} s", after=wait)
        unit.session.add_all([SignInAttempt(subject=subject, at=moment) for subject in subjects])


def _hash(text: str) -> str:
    # Some type their password where their name belongs.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
