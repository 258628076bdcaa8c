"""A labeler's statements about records (com.atproto.label.queryLabels), read over plain HTTP and not by the SDK.

The SDK's model does not take the signature of a real answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from backend.adapters.outbound import Outbound
from backend.adapters.services import ANSWER_LIMIT, check, chosen_service
from backend.errors import BadAnswer, Misconfigured
from backend.settings import get_settings

PAGE = 250  # the most that the method gives
SUBJECTS = 25  # in one question: more make an address too long
PAGES = 1000  # a labeler that never comes to an end is not followed for ever


@dataclass(frozen=True)
class Label:
    """One statement. `neg` takes an earlier one back; `exp` is when it ends by itself."""

    src: str
    uri: str
    val: str
    cts: datetime
    neg: bool = False
    exp: datetime | None = None


async def query_labels(uris: Iterable[str], sources: Iterable[str] = ()) -> list[Label]:
    """Every statement about these URIs, by these DIDs if any are named. Raises Misconfigured without LABELER_URL,
    RateLimited, Unavailable, Refused, BadAnswer: then nothing is known, which is not the same as no labels.
    """
    url = get_settings().services.labeler_url
    if url is None:
        raise Misconfigured("no labeler is asked: set LABELER_URL", field="LABELER_URL")
    wanted, found = list(uris), []
    async with chosen_service() as http:
        for start in range(0, len(wanted), SUBJECTS):
            found += await _about(http, url, wanted[start : start + SUBJECTS], sorted(sources))
    return found


async def _about(http: Outbound, url: str, uris: Sequence[str], sources: Sequence[str]) -> list[Label]:
    found: list[Label] = []
    cursor, seen = "", set[str]()
    for _ in range(PAGES):
        query = [("uriPatterns", uri) for uri in uris] + [("sources", did) for did in sources]
        query += [("limit", str(PAGE))] + ([("cursor", cursor)] if cursor else [])
        address = f"{url.rstrip('/')}/xrpc/com.atproto.label.queryLabels?{urlencode(query)}"
        page = check(await http.fetch("GET", address, limit=ANSWER_LIMIT), "the labeler", "LABELER_URL").json()
        labels = page.get("labels") if isinstance(page, dict) else None
        if not isinstance(labels, list):
            raise BadAnswer("the labeler's answer has no labels")
        # A pattern may match more than was asked for.
        found += [label for label in map(_label, labels) if label.uri in uris]
        cursor = str(page.get("cursor") or "")
        if not cursor or not labels or cursor in seen:
            return found
        seen.add(cursor)
    raise BadAnswer(f"the labeler's answer has more than {PAGES} pages")


def latest(labels: Iterable[Label]) -> list[Label]:
    """Of each source, subject and value the newest statement: the only one that counts."""
    newest: dict[tuple[str, str, str], Label] = {}
    for label in labels:
        key = (label.src, label.uri, label.val)
        if key not in newest or newest[key].cts <= label.cts:
            newest[key] = label
    return list(newest.values())


def _label(raw: Any) -> Label:
    try:
        exp = _moment(raw["exp"]) if raw.get("exp") else None
        if not all(isinstance(raw[name], str) for name in ("src", "uri", "val")):
            raise TypeError
        return Label(raw["src"], raw["uri"], raw["val"], _moment(raw["cts"]), bool(raw.get("neg")), exp)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadAnswer("the labeler's answer has a label that cannot be read") from None


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
