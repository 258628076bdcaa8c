"""Our lexicons: the kinds of records this platform writes, under the authority that the settings name."""

import json
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from backend.domains.federation.lexicon import Checker
from backend.errors import InvalidInput
from backend.runtime.storable import json_text
from backend.settings import get_settings

FOLDER = Path(__file__).parent / "lexicons"
PLACEHOLDER = "AUTHORITY."
RECORD_BYTES = 500_000


class Kind(StrEnum):
    """What a record is. Its collection is the authority and this, or for teal's records what the settings say."""

    TRACK = "track"
    LIKE = "like"
    COMMENT = "comment"
    LIST = "list"
    PROFILE = "actor.profile"
    PLAY = "fm.teal.feed.play"
    STATUS = "fm.teal.actor.status"


ONLY_ONE = (Kind.PROFILE, Kind.STATUS)
"""Kinds of which an account has one record, under the key `self`."""

OURS = (Kind.TRACK, Kind.LIKE, Kind.COMMENT, Kind.LIST, Kind.PROFILE)
"""Kinds whose lexicons are ours. Teal's records are theirs, and are not listened for."""


def our_collections() -> dict[str, Kind]:
    """The kinds of records that are ours, by collection."""
    return {collection_of(kind): kind for kind in OURS}


def collection_of(kind: Kind) -> str:
    """The collection (NSID) that records of this kind are in, such as `fm.backline.track`."""
    settings = get_settings()
    match kind:
        case Kind.PLAY:
            return settings.federation.teal_play_collection
        case Kind.STATUS:
            return settings.federation.teal_status_collection
    return f"{settings.network.nsid_authority}.{kind}"


def check_record(kind: Kind, record: object) -> None:
    """Raise InvalidInput, with the path of what is wrong, unless this is a record of that kind that can be kept here.

    For both directions.
    """
    authority, collection = get_settings().network.nsid_authority, collection_of(kind)
    found = documents(authority)
    # Teal's records may stand under another name than the one their lexicon has here.
    lexicon = found.get(kind) or found[f"{authority}.{kind}"]
    Checker({**found, collection: lexicon}).check(collection, record)
    try:
        # Fields that no lexicon knows are let pass, whatever they hold.
        json_text(record, RECORD_BYTES)
    except ValueError as error:
        raise InvalidInput(f"the record cannot be kept: {error}") from None


@cache
def documents(authority: str) -> dict[str, dict[str, Any]]:
    """Every lexicon under its NSID: ours by this authority, and those of others that ours refer to."""
    found = {}
    for file in sorted(FOLDER.glob("*.json")):
        document = json.loads(file.read_text().replace(PLACEHOLDER, f"{authority}."))
        found[str(document["id"])] = document
    return found
