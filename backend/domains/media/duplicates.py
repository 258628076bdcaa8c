"""Duplicates: the tracks that have a sound already, found by a few terms and compared number by number."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Select, desc, func, or_, select

from backend.db.models.media import AudioFingerprint, FingerprintTerm, Track, TrackVersion
from backend.db.session import database, unit_of_work
from backend.domains.media.likeness import Fingerprint, Likeness, compare, is_same, terms
from backend.domains.media.reports import Finding, Reason, TargetType, open_report
from backend.errors import NotFound

LEAST_SHARED = 2  # terms: by chance many strangers share one, few share two
MOST_COMPARED = 20


@dataclass(frozen=True)
class Candidate:
    """A track that shares terms with a sound. Whether it is the same, comparing says."""

    track_id: str
    title: str
    artist: str | None
    version_id: str
    numbers: Fingerprint


@dataclass(frozen=True)
class Match:
    """A track with the same sound."""

    track_id: str
    title: str
    artist: str | None
    version_id: str
    likeness: Likeness


async def find_candidates(numbers: Fingerprint, track_id: str, artist_did: str | None) -> list[Candidate]:
    """At most 20 tracks that share the most terms with a sound: neither that track itself nor its artist's others."""
    sought = terms(numbers).view(np.int32).tolist()
    async with database().reading() as session:
        rows = await session.execute(_sharing(sought, track_id, artist_did))
        return [Candidate(*row[:4], np.frombuffer(row[4], "<u4").astype(np.uint32)) for row in rows]


def _sharing(
    sought: Sequence[int], track_id: str, artist_did: str | None
) -> Select[tuple[str, str, str | None, str, bytes]]:
    shared = func.count().label("shared")
    hits = (
        select(FingerprintTerm.fingerprint_id, shared)
        .where(FingerprintTerm.term.in_(sought))
        .group_by(FingerprintTerm.fingerprint_id)
        .having(func.count() >= LEAST_SHARED)
        .subquery()
    )
    wanted = (
        select(Track.id, Track.title, Track.artist, TrackVersion.id, AudioFingerprint.numbers)
        .join(hits, hits.c.fingerprint_id == AudioFingerprint.id)
        .join(TrackVersion, TrackVersion.id == AudioFingerprint.track_version_id)
        .join(Track, Track.id == TrackVersion.track_id)
        .where(Track.id != track_id, AudioFingerprint.numbers.is_not(None))
        .order_by(desc(hits.c.shared), AudioFingerprint.id)
        .limit(MOST_COMPARED)
    )
    if artist_did is not None:
        wanted = wanted.where(or_(Track.artist_did.is_(None), Track.artist_did != artist_did))
    return wanted


async def find_match(numbers: Fingerprint, track_id: str, artist_did: str | None) -> Match | None:
    """Of the tracks that have the same sound the one that is most like it, of equals the oldest."""
    candidates = await find_candidates(numbers, track_id, artist_did)
    return await asyncio.to_thread(_most_like, numbers, candidates)


def _most_like(numbers: Fingerprint, candidates: Sequence[Candidate]) -> Match | None:
    found = []
    for each in candidates:
        likeness = compare(numbers, each.numbers)
        if likeness is not None and is_same(likeness):
            found.append(Match(each.track_id, each.title, each.artist, each.version_id, likeness))
    return min(found, key=lambda match: (round(match.likeness.error, 3), match.track_id), default=None)


async def report_duplicate(version_id: str, numbers: Fingerprint) -> str | None:
    """Open a report when another artist's track has this version's sound. Gives its id; None without a duplicate.

    Two tracks are reported once, whichever comes first and however often they are compared. Raises NotFound.
    """
    async with database().reading() as session:
        track = await session.scalar(select(Track).join(TrackVersion).where(TrackVersion.id == version_id))
    if track is None:
        raise NotFound(f"there is no version {version_id}", field="version_id")
    match = await find_match(numbers, track.id, track.artist_did)
    if match is None:
        return None
    # Ids ascend with time: what came later is what is reported.
    older, newer = sorted([(track.id, track.title, track.artist), (match.track_id, match.title, match.artist)])
    text = f"{_named(newer)} has the same sound as {_named(older)}: {match.likeness.error:.1%} of the bits differ"
    finding = Finding(TargetType.TRACK, newer[0], Reason.DUPLICATE, text, related_id=older[0])
    async with unit_of_work() as unit:
        return await open_report(unit, finding)


def _named(track: tuple[str, str, str | None]) -> str:
    id, title, artist = track
    return f"track {id} ({title!r}{f' by {artist!r}' if artist else ''})"
