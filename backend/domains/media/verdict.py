"""The verdict on a scan: what the songs found in a recording say of it. Pure."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.adapters.audd import Match

SHORTEST_NAME = 4  # shorter names are found inside of too many others


class Finding(StrEnum):
    """What is known of a recording. An outage is `unknown`, and never `clear`."""

    CLEAR = "clear"
    FLAGGED = "flagged"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """A finding and what it rests on. `dominant_percent` is the dominant song's share of all matches."""

    finding: Finding
    dominant_artist: str | None = None
    dominant_title: str | None = None
    dominant_percent: float = 0.0
    sustained_songs: int = 0
    own_matches: int = 0


def judge(matches: Sequence[Match], own_names: Iterable[str], dominant_percent: float, positions: int) -> Verdict:
    """Flag a recording when one song has `dominant_percent` of all matches, or is found at `positions` places.

    Songs by the uploader, known by `own_names`, are their own and speak for nobody else; they count among all matches.
    """
    own = [slug for slug in map(slug_of, own_names) if len(slug) >= SHORTEST_NAME]
    foreign = [match for match in matches if not _is_own(match.artist, own)]
    if not foreign:
        return Verdict(Finding.CLEAR, own_matches=len(matches))
    counts = Counter((match.artist.casefold(), match.title.casefold()) for match in foreign)
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for match in foreign:
        places[match.artist.casefold(), match.title.casefold()].add(match.position)
    song, count = max(counts.items(), key=lambda each: (each[1], each[0]))
    percent = 100 * count / len(matches)
    sustained = sum(len(found) >= positions for found in places.values())
    named = next(match for match in foreign if (match.artist.casefold(), match.title.casefold()) == song)
    finding = Finding.FLAGGED if percent >= dominant_percent or sustained else Finding.CLEAR
    return Verdict(finding, named.artist, named.title, round(percent, 2), sustained, len(matches) - len(foreign))


def slug_of(name: str) -> str:
    """A name without case, accents, spaces and signs: `Björk & Co.` is `bjorkco`."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "", "".join(each for each in plain if not unicodedata.combining(each)))


def _is_own(artist: str, own: Sequence[str]) -> bool:
    slug = slug_of(artist)
    return len(slug) >= SHORTEST_NAME and any(slug in name or name in slug for name in own)
