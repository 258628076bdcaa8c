"""Our lexicons: the kinds of records this platform writes, under the authority that the settings name."""

import json
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from backend.domains.federation.lexicon import Checker
from backend.settings import get_settings

FOLDER = Path(__file__).parent / "lexicons"
PLACEHOLDER = "AUTHORITY."


class Kind(StrEnum):
    """What a record is. Its collection is the authority and this."""

    TRACK = "track"
    LIKE = "like"
    COMMENT = "comment"
    LIST = "list"
    PROFILE = "actor.profile"


def collection_of(kind: Kind) -> str:
    """The collection (NSID) that records of this kind are in, such as `fm.backline.track`."""
    return f"{get_settings().network.nsid_authority}.{kind}"


def check_record(kind: Kind, record: object) -> None:
    """Raise InvalidInput, with the path of what is wrong, unless this is a record of that kind. For both directions."""
    authority = get_settings().network.nsid_authority
    Checker(documents(authority)).check(f"{authority}.{kind}", record)


@cache
def documents(authority: str) -> dict[str, dict[str, Any]]:
    """Every lexicon under its NSID: ours by this authority, and those of others that ours refer to."""
    found = {}
    for file in sorted(FOLDER.glob("*.json")):
        document = json.loads(file.read_text().replace(PLACEHOLDER, f"{authority}."))
        found[str(document["id"])] = document
    return found
