"""Merging: some records belong to other programs as well, and what those wrote is kept."""

from typing import Any

from backend.domains.federation.lexicon_formats import FORMATS
from backend.domains.federation.lexicons import Kind, collection_of, documents
from backend.settings import get_settings

SHARED = (Kind.PROFILE,)
"""Kinds whose records are read before they are written."""


def merged(kind: str, wanted: dict[str, Any] | None, there: dict[str, Any] | None) -> dict[str, Any] | None:
    """What to write: what is wanted. Of a shared record that is there, `createdAt` and what our lexicon does not know stay."""
    if kind not in SHARED or wanted is None or there is None:
        return wanted
    lexicon = documents(get_settings().network.nsid_authority)[collection_of(Kind(kind))]
    ours = lexicon["defs"]["main"]["record"]["properties"]
    kept = {name: value for name, value in there.items() if name not in ours}
    created = there.get("createdAt")
    if isinstance(created, str) and FORMATS["datetime"](created):
        kept |= {"createdAt": created}
    return {**wanted, **kept, "$type": wanted["$type"]}
