"""What is made of an original: looked at as a whole before anything is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domains.media.formats import LONGEST_FIRST, StreamFormat, checked_formats, refusal
from backend.domains.media.streams import made_by_this_run
from backend.domains.media.versions import Original, find_original
from backend.errors import InvalidInput
from backend.settings import get_settings


@dataclass(frozen=True)
class Plan:
    """The formats to make, and those that may not be made, with the reason."""

    original: Original
    formats: tuple[StreamFormat, ...]
    refused: dict[StreamFormat, str]


async def plan_streams(version_id: str, formats: Sequence[str]) -> Plan:
    """Look at what is asked for. What an earlier attempt of this run has made is not made again.

    Raises InvalidInput for an unknown format and when none of them may be made, NotFound, Conflict before ingest.
    """
    wanted = checked_formats(formats)
    original = await find_original(version_id)
    original.measured()
    refused = {format: reason for format in wanted if (reason := _refusal(format, original))}
    if len(refused) == len(wanted):
        reasons = "; ".join(f"{format}: {reason}" for format, reason in refused.items())
        raise InvalidInput(f"none of these formats may be made: {reasons}", field="formats")
    done = await made_by_this_run(version_id)
    return Plan(
        original, tuple(each for each in LONGEST_FIRST if each in wanted and each not in {*refused, *done}), refused
    )


async def default_formats(version_id: str) -> list[StreamFormat]:
    """What a version is streamed in when nobody asks for anything else: all it may be. Raises NotFound."""
    original = await find_original(version_id)
    return [format for format in StreamFormat if not _refusal(format, original)]


def _refusal(format: StreamFormat, original: Original) -> str | None:
    return refusal(
        format,
        lossless=original.lossless,
        channels=original.channels,
        artist_did=original.artist_did,
        settings=get_settings().media,
    )
