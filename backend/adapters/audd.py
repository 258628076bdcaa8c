"""AuDD's enterprise endpoint: which known songs a recording contains, and where (docs.audd.io/enterprise)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.adapters.outbound import Answer
from backend.adapters.services import ANSWER_LIMIT, check, chosen_service, form, quoted, upload_form
from backend.errors import BacklineError, BadAnswer, Misconfigured, RateLimited, Refused, Unavailable
from backend.settings import get_settings

TOKEN_CODES = {900, 901, 903}  # no token, a wrong one, one that may not use this endpoint
LIMIT_CODES = {902, 904}
AUDIO_CODES = {300, 400, 500, 501, 600, 700}  # the recording or its address is not usable


@dataclass(frozen=True)
class Match:
    """A known song at one place of the recording. `position` is the place as AuDD names it."""

    artist: str
    title: str
    position: str
    album: str | None = None
    isrc: str | None = None
    label: str | None = None
    link: str | None = None


async def recognise(source: str | Path) -> list[Match]:
    """The songs in a recording, which is an address that AuDD can reach, or a file that is sent.

    Raises Misconfigured for a missing or refused AUDD_TOKEN, RateLimited, Unavailable, Refused when AuDD cannot use the
    recording, BadAnswer.
    """
    settings = get_settings().services
    if settings.audd_token is None:
        raise Misconfigured("tracks are not scanned for copyright: set AUDD_TOKEN", field="AUDD_TOKEN")
    fields = {"api_token": settings.audd_token.get_secret_value(), "accurate_offsets": "1"}
    headers, content = (
        upload_form(fields, "file", source) if isinstance(source, Path) else form({**fields, "url": source})
    )
    async with chosen_service() as http:
        answer = await http.fetch("POST", settings.audd_url, headers=headers, content=content, limit=ANSWER_LIMIT)
    return read_matches(check(answer, "AuDD", "AUDD_TOKEN"))


def read_matches(answer: Answer) -> list[Match]:
    """What an answer says. An error may come with the status 200. Raises as `recognise` does."""
    found = answer.json()
    status = found.get("status") if isinstance(found, dict) else None
    if status == "error":
        raise _error(found.get("error"))
    if status != "success":
        raise BadAnswer("AuDD's answer is neither a success nor an error")
    result = found.get("result")
    groups = [result] if isinstance(result, dict) else result or []
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise BadAnswer("AuDD's answer has a result that is no list")
    return [_match(song, group) for group in groups for song in _songs(group)]


def _songs(group: dict[str, Any]) -> list[Any]:
    songs = group.get("songs", [group])
    if not isinstance(songs, list):
        raise BadAnswer("AuDD's answer has songs that are no list")
    return songs


def _match(song: Any, group: dict[str, Any]) -> Match:
    if not isinstance(song, dict) or not (song.get("artist") or song.get("title")):
        raise BadAnswer("AuDD's answer has a song without a name")
    # `offset` is the place in our recording, `timecode` the place in theirs.
    place = group.get("offset") or song.get("timecode") or song.get("start_offset") or ""
    texts = {name: _text(song.get(key)) for name, key in (("album", "album"), ("isrc", "isrc"), ("label", "label"))}
    return Match(
        str(song.get("artist") or ""),
        str(song.get("title") or ""),
        str(place),
        **texts,
        link=_text(song.get("song_link")),
    )


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _error(said: Any) -> BacklineError:
    code, message = (said.get("error_code"), said.get("error_message")) if isinstance(said, dict) else (None, said)
    words = f"AuDD answered error {code}: {quoted(str(message or 'it said nothing'))}"
    if not isinstance(code, int):
        return Unavailable(words)
    if code in TOKEN_CODES:
        return Misconfigured(f"AuDD refuses our token: set AUDD_TOKEN (error {code})", field="AUDD_TOKEN")
    if code in LIMIT_CODES:
        return RateLimited(words)
    if code in AUDIO_CODES:
        return Refused(words, name=str(code))
    return Unavailable(words)
