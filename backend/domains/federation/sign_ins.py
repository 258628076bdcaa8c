"""Sign-ins: a random token stands for an account for a while. Whoever reads the database learns no token."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select

from backend.db.base import now
from backend.db.models.federation import OAuthRequest, SignIn, SignInAttempt
from backend.db.session import database, unit_of_work
from backend.errors import InvalidInput
from backend.runtime import audit, scheduler, task
from backend.settings import get_settings

TOKEN_BYTES = 32
# https://www.w3.org/TR/did-core/#did-syntax, without the parts that a URL adds.
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,240}")


class Role(StrEnum):
    """What a caller may do beyond their own things. Each may do what those before it may."""

    ARTIST = "artist"  # their own things
    VIEWER = "viewer"  # look at everything
    OPERATOR = "operator"  # act on runs, queues and schedules
    ADMIN = "admin"  # everything

    def covers(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class SignInView:
    """A sign-in, without its token. `id` is the start of its hash: enough to name it, useless to anyone else."""

    id: str
    did: str
    role: Role
    note: str | None
    created_at: datetime
    expires_at: datetime


def checked_did(text: str) -> str:
    """The same text, if it is a decentralised identifier. Raises InvalidInput."""
    if not _DID.fullmatch(text):
        raise InvalidInput(f"{text[:100]!r} is not a DID: write did:plc:... or did:web:...", field="did")
    return text


async def open_sign_in(did: str, role: Role = Role.ARTIST, note: str | None = None) -> str:
    """Sign an account in for SIGN_IN_DAYS. Returns the token, which is kept nowhere. Raises InvalidInput."""
    token, moment = secrets.token_urlsafe(TOKEN_BYTES), now()
    lifetime = timedelta(days=get_settings().accounts.sign_in_days)
    row = SignIn(
        token_hash=_hash(token),
        did=checked_did(did),
        role=role,
        note=note,
        created_at=moment,
        expires_at=moment + lifetime,
    )
    async with unit_of_work() as unit:
        unit.session.add(row)
        await audit.note(unit, "sign-in.open", did, role=role, purpose=note)
    return token


async def find_sign_in(token: str) -> SignInView | None:
    """Who a token stands for, or None when it stands for nobody any more."""
    async with database().reading() as session:
        row = await session.get(SignIn, _hash(token))
    return _view(row) if row is not None and row.expires_at > now() else None


async def list_sign_ins() -> list[SignInView]:
    """Those that hold, newest first."""
    wanted = select(SignIn).where(SignIn.expires_at > now()).order_by(SignIn.created_at.desc())
    async with database().reading() as session:
        return [_view(row) for row in await session.scalars(wanted)]


async def close_sign_in(token: str) -> None:
    """End one. A token that stands for nobody is no error."""
    async with unit_of_work() as unit:
        await unit.connection.execute(delete(SignIn).where(SignIn.token_hash == _hash(token)))


async def holds_sign_ins(did: str) -> bool:
    """Whether an account is signed in anywhere."""
    async with database().reading() as session:
        found = select(SignIn.did).where(SignIn.did == did, SignIn.expires_at > now()).limit(1)
        return await session.scalar(found) is not None


async def close_sign_ins_of(did: str) -> int:
    """End every sign-in of an account. Returns how many there were."""
    async with unit_of_work() as unit:
        done = (await unit.connection.execute(delete(SignIn).where(SignIn.did == did))).rowcount
        await audit.note(unit, "sign-in.close", did, sign_ins=done)
        return done


@task(queue="upkeep", cron="41 3 * * *")
async def forget_sign_ins() -> dict[str, int]:
    """Delete sign-ins that have expired, old attempts, and requests that nobody decided on. A repeat finds none."""
    window = timedelta(seconds=get_settings().accounts.sign_in_window_s)
    async with unit_of_work() as unit:
        done = await unit.connection.execute(delete(SignIn).where(SignIn.expires_at <= now()))
        await unit.connection.execute(delete(SignInAttempt).where(SignInAttempt.at <= now() - window))
        await unit.connection.execute(delete(OAuthRequest).where(OAuthRequest.expires_at <= now()))
    return {"forgotten": done.rowcount}


schedule_forget_sign_ins = scheduler(forget_sign_ins)


def _hash(token: str) -> str:
    # The token is random and long, so nothing slower is needed to hide it.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _view(row: SignIn) -> SignInView:
    return SignInView(row.token_hash[:12], row.did, Role(row.role), row.note, row.created_at, row.expires_at)
