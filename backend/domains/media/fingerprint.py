"""Fingerprint: what a version sounds like, kept so that the same sound is found when it comes again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import delete, func, insert, select

from backend.adapters import chromaprint
from backend.adapters.chromaprint import ALGORITHM
from backend.adapters.ffmpeg import OnSeconds
from backend.db.base import now
from backend.db.models.media import AudioFingerprint, FingerprintTerm
from backend.db.session import Unit, unit_of_work
from backend.domains.media.duplicates import report_duplicate
from backend.domains.media.likeness import INDEXED_TERMS, Fingerprint, by_rank, flaw
from backend.domains.media.rows import upsert
from backend.domains.media.versions import QUEUE, RETRY, Original, find_original
from backend.runtime import current_run, scheduler, task

CROWDED = 1000  # sounds under one term

Report = Callable[[float, float], Awaitable[None]]  # seconds done, seconds in all


@dataclass(frozen=True)
class Fingerprinted:
    """What was found. `note` says why there is no fingerprint; `report_id` names the report of a duplicate."""

    numbers: int
    note: str | None
    report_id: str | None


async def fingerprint_sound(version_id: str, report: Report) -> Fingerprinted:
    """Fingerprint a version, keep it, and report it for review when another artist's track has the same sound.

    Raises NotFound, Conflict before ingest, InvalidInput when nothing can be decoded, FfmpegFailed.
    """
    original = await find_original(version_id)
    duration_s, _, _ = original.measured()

    async def note(done: float) -> None:
        await report(done, duration_s)

    async with original.open() as file:
        return await fingerprint_file(original, file, note)


async def fingerprint_file(original: Original, file: Path, on_seconds: OnSeconds) -> Fingerprinted:
    """The same on an original that is open already. `on_seconds` is awaited with the seconds done, all of them at the end."""
    version_id = original.version_id
    duration_s, _, _ = original.measured()
    numbers = await chromaprint.fingerprint(file, on_seconds)
    reason = await asyncio.to_thread(flaw, numbers)
    await _keep(version_id, numbers, reason)
    await on_seconds(duration_s)  # what comes after the part that is listened to counts as done
    if reason is not None:
        return Fingerprinted(0, reason, None)
    # Looked up after it was committed: of two that come at once, the later one sees the other.
    return Fingerprinted(len(numbers), None, await report_duplicate(version_id, numbers))


async def _keep(version_id: str, numbers: Fingerprint, reason: str | None) -> None:
    """The fingerprint and the terms it is found by, in place of those that were there."""
    row = AudioFingerprint
    values = {
        "algorithm": ALGORITHM,
        "numbers": None if reason else numbers.astype("<u4").tobytes(),
        "note": reason,
        "updated_at": now(),
    }
    async with unit_of_work() as unit:
        await upsert(unit, row, {"track_version_id": version_id}, values)
        found = await unit.connection.scalar(select(row.id).where(row.track_version_id == version_id))
        await unit.connection.execute(delete(FingerprintTerm).where(FingerprintTerm.fingerprint_id == found))
        if reason is None and (terms := await _telling_terms(unit, numbers)):
            rows = [{"term": term, "fingerprint_id": found} for term in terms]
            await unit.connection.execute(insert(FingerprintTerm), rows)


async def _telling_terms(unit: Unit, numbers: Fingerprint) -> list[int]:
    """The terms that are indexed. One that a thousand sounds have tells none of them apart, and would slow all down."""
    # The database's integers have a sign.
    ranked = by_rank(numbers)[: 2 * INDEXED_TERMS].view("int32").tolist()
    term = FingerprintTerm.term
    counted = select(term).where(term.in_(ranked)).group_by(term).having(func.count() >= CROWDED)
    crowded = set(await unit.connection.scalars(counted))
    return [each for each in ranked if each not in crowded][:INDEXED_TERMS]


@task(queue=QUEUE, limit=2, retry=RETRY, timeout=900, key="fingerprint:{version_id}")
async def fingerprint_version(version_id: str) -> dict[str, object]:
    """Fingerprint a version. A repeat keeps the same numbers again, and two tracks are reported once."""
    run = current_run()
    done = await fingerprint_sound(version_id, run.progress)
    await run.progress(1, 1, done.note or f"{done.numbers} numbers")
    return asdict(done)


schedule_fingerprint = scheduler(fingerprint_version)
