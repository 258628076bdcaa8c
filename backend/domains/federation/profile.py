"""Profiles: what an account says of itself here, and what its public profile in the network says."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.base import now
from backend.db.models.federation import Account, PdsRecord, Profile
from backend.db.session import Unit, database, unit_of_work
from backend.domains.federation.lexicon_formats import FORMATS
from backend.domains.federation.lexicons import Kind, collection_of
from backend.domains.federation.lists import bring_if_new
from backend.domains.federation.pds import Pds, pds_of
from backend.domains.federation.publication import protocol_time
from backend.domains.federation.records import RecordView, find_record, want
from backend.domains.federation.writing import RETRY, TIMEOUT_S, schedule_record_write
from backend.errors import InvalidInput, Refused
from backend.runtime import scheduler, task
from backend.runtime.storable import storable

PUBLIC = "app.bsky.actor.profile"  # every account has it on its own server, so no third one is asked
SELF = "self"
NAME_LIMIT, TEXT_LIMIT, URL_LIMIT = 640, 2560, 2000


@dataclass(frozen=True)
class ProfileView:
    """An account's profile. `bio` is what was said here, else what the public profile says; `own_bio` tells which.

    `display_name` and `avatar_url` are the public profile's. `record` says where our record of it stands, if there is one.
    """

    did: str
    handle: str | None
    display_name: str | None
    bio: str | None
    own_bio: bool
    avatar_url: str | None
    record: RecordView | None


async def get_profile(did: str) -> ProfileView:
    """An account's profile as it is known here."""
    async with database().reading() as session:
        profile = await session.get(Profile, did) or Profile(did=did)
        handle = await session.scalar(select(Account.handle).where(Account.did == did))
    return ProfileView(
        did=did,
        handle=handle,
        display_name=profile.display_name,
        bio=_bio(profile),
        own_bio=profile.bio is not None,
        avatar_url=profile.avatar_url,
        record=await find_record(did, Kind.PROFILE, SELF),
    )


async def change_bio(did: str, bio: str | None) -> ProfileView:
    """Say this of oneself; None: what the public profile says. Raises InvalidInput when the lexicon refuses it."""
    if bio is not None and storable(bio, len(bio)) != bio:
        raise InvalidInput("bio holds a NUL or half a character, which no database stores", field="bio")
    async with unit_of_work() as unit:
        profile = await _locked(unit, did)
        profile.bio = bio
        row = await _wish(unit, profile)
        if row is not None:
            await schedule_record_write(row.id, row.wanted_revision)
    return await get_profile(did)


async def take_over(did: str) -> RecordView | None:
    """Take the public profile over from the account's own server, and write what changed. None when nothing did.

    Only an answer changes something: raises AuthExpired, RateLimited, Unavailable, Refused before it does. A bio that stood
    in our record before it was ever written from here is taken for the account's own.
    """
    async with database().reading() as session:
        written = await session.scalar(select(PdsRecord.id).filter_by(did=did, kind=Kind.PROFILE, subject=SELF))
        pds_url = await session.scalar(select(Account.pds_url).where(Account.did == did))
    async with pds_of(did) as pds:
        await pds.must_be_active()
        public = await _value(pds, PUBLIC)
        ours = {} if written else await _value(pds, collection_of(Kind.PROFILE))
    async with unit_of_work() as unit:
        profile = await _locked(unit, did)
        profile.display_name = _text(public.get("displayName"), NAME_LIMIT)
        profile.description = _text(public.get("description"), TEXT_LIMIT)
        profile.avatar_url = _blob_url(f"{pds_url}", did, public.get("avatar"))
        said = _text(ours.get("bio"), TEXT_LIMIT)
        if profile.bio is None and said != profile.description:
            profile.bio = said
        row = await _wish(unit, profile)
    return await bring_if_new(row)


@task(queue="federation", retry=RETRY, timeout=TIMEOUT_S, key="profile:{did}")
async def sync_profile(did: str) -> dict[str, str | None]:
    """Take an account's public profile over, and write its record. A repeat reads it again and finds it written."""
    done = await take_over(did)
    return {"written": done.uri if done else None}


schedule_profile_sync = scheduler(sync_profile)


async def _wish(unit: Unit, profile: Profile) -> PdsRecord | None:
    """Within this unit: the record says this. There is none as long as there is nothing to say."""
    said = {"bio": _bio(profile), "avatar": profile.avatar_url}
    content = {name: value for name, value in said.items() if value is not None}
    if not content and await find_record(profile.did, Kind.PROFILE, SELF) is None:
        return None
    content["createdAt"] = protocol_time(profile.created_at)
    return await want(unit, profile.did, Kind.PROFILE, SELF, content)


def _bio(profile: Profile) -> str | None:
    return profile.bio if profile.bio is not None else profile.description


async def _locked(unit: Unit, did: str) -> Profile:
    """The account's profile, made where there is none, and changed by nobody else until the unit ends."""
    make = sqlite.insert if unit.connection.dialect.name == "sqlite" else postgresql.insert
    await unit.connection.execute(make(Profile).values(did=did, created_at=now()).on_conflict_do_nothing())
    return await unit.session.get_one(Profile, did, with_for_update=True, populate_existing=True)


async def _value(pds: Pds, collection: str) -> dict[str, Any]:
    """The account's one record of a collection; empty when its server says that there is none."""
    try:
        found = await pds.query("com.atproto.repo.getRecord", repo=pds.did, collection=collection, rkey=SELF)
    except Refused as error:
        if error.name == "RecordNotFound":
            return {}
        raise
    value = found.get("value")
    return value if isinstance(value, dict) else {}


def _text(value: object, limit: int) -> str | None:
    return storable(value[:limit], limit * 6)[:limit] if isinstance(value, str) and value else None


def _blob_url(pds_url: str, did: str, blob: object) -> str | None:
    """Where a blob of the account is fetched: at its own server."""
    reference = blob.get("ref") if isinstance(blob, dict) else None
    cid = reference.get("$link") if isinstance(reference, dict) else None
    if not isinstance(cid, str) or not FORMATS["cid"](cid):
        return None
    url = f"{pds_url}/xrpc/com.atproto.sync.getBlob?{urlencode({'did': did, 'cid': cid})}"
    return url if len(url) <= URL_LIMIT else None
