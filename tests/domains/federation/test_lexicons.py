"""Our lexicons, and our checker beside the protocol's own: both must say the same of every record."""

import json
import re
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from atproto_lexicon.parser import lexicon_parse

from backend.domains.federation.lexicon import Checker
from backend.domains.federation.lexicons import FOLDER, Kind, check_record, collection_of, documents
from backend.errors import InvalidInput, Misconfigured
from tests.conftest import set_environment
from tests.network.install import find_node, install

SCRIPT = Path(__file__).parents[2] / "network" / "lexicon.js"
PAGE = Path(__file__).parents[3] / "docs" / "domains" / "lexicons.md"
NOW = "2026-11-23T09:14:03.250Z"
CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
SUBJECT = {"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/fm.backline.track/3jzfcijpj2z2a", "cid": CID}
BLOB = {"$type": "blob", "ref": {"$link": CID}, "mimeType": "audio/flac", "size": 1000}

ITEM = {
    "trackName": "Night Drive", "artists": [{"artistName": "Anna"}], "duration": 210, "originUri": "https://example.com/t/1",
    "musicServiceUri": "https://example.com", "submissionClientAgent": "fm.backline/1.0", "playedTime": NOW,
}  # fmt: skip

GOOD: dict[Kind, dict[str, Any]] = {
    Kind.TRACK: {
        "title": "Night Drive", "artist": "Anna", "fileType": "flac", "audioUrl": "https://example.com/a?b=c",
        "audioBlob": BLOB, "album": "Roads", "duration": 210, "description": "", "createdAt": NOW,
    },
    Kind.LIKE: {"subject": SUBJECT, "createdAt": NOW},
    Kind.COMMENT: {"subject": SUBJECT, "text": "here!", "timestampMs": 0, "createdAt": NOW, "updatedAt": NOW},
    Kind.LIST: {"name": "Best", "listType": "album", "items": [{"subject": SUBJECT}] * 500, "createdAt": NOW},
    Kind.PROFILE: {"bio": "hello", "avatar": "https://example.com/x.png", "createdAt": NOW},
    Kind.PLAY: ITEM,
    Kind.STATUS: {"time": NOW, "expiry": NOW, "item": ITEM},
}  # fmt: skip
DROP = object()
# (kind, path, value): one thing that is wrong with a good record, or right although it looks wrong.
CHANGES: list[tuple[Kind, str, object]] = [
    *((Kind.TRACK, name, DROP) for name in ("title", "artist", "fileType", "createdAt", "album", "audioBlob", "$type")),
    *((Kind.TRACK, "title", value) for value in ("", "x" * 500, "x" * 501, "ü" * 500, "👩‍👩‍👧" * 277, "👩‍👩‍👧" * 278, 7, None)),
    *((Kind.TRACK, "fileType", value) for value in ("x" * 16, "x" * 17, "é" * 9)),
    *((Kind.TRACK, "duration", value) for value in (0, -1, 1.5, True, "7", 2**40)),
    *((Kind.TRACK, "audioUrl", value) for value in ("nowhere", "http://", "https://a b", "ftp://example.com", "at:x")),
    *((Kind.TRACK, "audioBlob.mimeType", value) for value in ("audio/mpeg", "video/mp4", "audio", 5, DROP)),
    *((Kind.TRACK, "audioBlob.size", value) for value in (104857600, 104857601, -1, "1", DROP)),
    *((Kind.TRACK, "audioBlob.ref", value) for value in ({}, "x", {"$link": 5}, DROP)),
    (Kind.TRACK, "audioBlob", "blob"), (Kind.TRACK, "unknownField", {"anything": 1}), (Kind.TRACK, "$type", "x.y.z"),
    *((Kind.TRACK, "createdAt", value) for value in (
        "2026-11-23T09:14:03Z", "2026-11-23T09:14:03.1234567Z", "2026-11-23T09:14:03+01:00", "2026-11-23T09:14:03-00:00",
        "2026-11-23T09:14:03", "2026-11-23", "2026-13-23T09:14:03Z", "2026-11-23 09:14:03Z", "2026-11-23t09:14:03z",
        "yesterday", "2026-11-23T09:14Z", "0000-01-01T00:00:00Z", "2026-11-23T25:14:03Z",
    )),
    *((Kind.LIKE, "subject.uri", value) for value in (
        "at://alice.test/fm.backline.track/3jzfcijpj2z2a", "at://did:plc:x", "https://example.com/x", "at://", "at://x y/z",
        "at://did:plc:abc/notansid/key", "at://did:plc:abc/a.b.c/key/more", "at://did:plc:abc/a.b.c/" + "k" * 512,
    )),
    *((Kind.LIKE, "subject.cid", value) for value in (CID, "", "x", "has space" + CID, "b" * 300)),
    (Kind.LIKE, "subject", "at://x"), (Kind.LIKE, "subject", DROP), (Kind.LIKE, "subject.cid", DROP),
    *((Kind.COMMENT, "text", value) for value in ("", "x" * 1000, "x" * 1001)),
    *((Kind.COMMENT, "timestampMs", value) for value in (-1, 3_600_000, None)),
    *((Kind.LIST, "items", value) for value in ([], [{"subject": SUBJECT}] * 501, [{}], [SUBJECT], {}, "x", [5])),
    *((Kind.LIST, "listType", value) for value in ("liked", "something else", "x" * 33)),
    *((Kind.PLAY, "trackName", value) for value in (DROP, "", "x" * 256, "x" * 257, "é" * 129)),
    *((Kind.PLAY, "artists", value) for value in (DROP, [], [{}], ["Anna"], "Anna")),
    *((Kind.PLAY, "originUri", value) for value in ("nowhere", "https://a b", 5)),
    *((Kind.STATUS, "item.artists", value) for value in (DROP, [], [{"artistName": ""}])),
    *((Kind.STATUS, "item", value) for value in (DROP, "Night Drive", {})), (Kind.STATUS, "time", DROP),
    *((Kind.PROFILE, "bio", value) for value in ("", "x" * 2560, "x" * 2561)),
]  # fmt: skip


# What the protocol asks for and its own checker lets pass: limits of blobs, and moments without a zone or in year zero.
STRICTER = {
    ("audioBlob.mimeType", "video/mp4"), ("audioBlob.mimeType", "audio"), ("audioBlob.size", 104857601),
    ("audioBlob.size", -1), ("createdAt", "2026-11-23T09:14:03"), ("createdAt", "0000-01-01T00:00:00Z"),
}  # fmt: skip


def record(kind: Kind) -> dict[str, Any]:
    return deepcopy(GOOD[kind]) | {"$type": collection_of(kind)}


def _changed(kind: Kind, path: str, value: object) -> dict[str, Any]:
    found = record(kind)
    inner, *names = found, *path.split(".")
    for name in names[:-1]:
        inner = inner[name]
    if value is DROP:
        del inner[names[-1]]
    else:
        inner[names[-1]] = value
    return found


def _refuses(kind: Kind, value: dict[str, Any]) -> bool:
    try:
        check_record(kind, value)
    except InvalidInput:
        return True
    return False


def _protocol_refuses(cases: list[tuple[Kind, dict[str, Any]]]) -> list[bool]:
    asked = {
        "modules": str(install(find_node())),
        "documents": list(documents("fm.backline").values()),
        "cases": [{"nsid": collection_of(kind), "record": value} for kind, value in cases],
    }
    command = [str(find_node().program), str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    return [complaint is not None for complaint in json.loads(done.stdout)]


def test_our_checker_and_the_protocols_agree() -> None:
    whole = [(kind, record(kind)) for kind in Kind]
    assert not any(_protocol_refuses(whole))
    assert not any(_refuses(*case) for case in whole)
    changed = [(kind, _changed(kind, path, new)) for kind, path, new in CHANGES]
    stricter = set()
    for (_, path, new), case, theirs in zip(CHANGES, changed, _protocol_refuses(changed), strict=True):
        ours = _refuses(*case)
        assert ours or not theirs, f"only the protocol's refuses {path} = {new!r}"
        if ours and not theirs:
            stricter.add((path, new))
    assert stricter == STRICTER


@pytest.mark.parametrize(
    ("kind", "path", "value", "complaint"),
    [
        (Kind.TRACK, "title", DROP, "title is missing"),
        (Kind.TRACK, "title", "x" * 501, "title has at most 500 characters, not 501"),
        (Kind.TRACK, "createdAt", "yesterday", "createdAt is no datetime"),
        (Kind.TRACK, "audioBlob.mimeType", "video/mp4", r"audioBlob\.mimeType is one of audio/\*"),
        (Kind.LIKE, "subject.cid", "x", r"subject\.cid is no cid"),
        (Kind.LIST, "items", [{"subject": SUBJECT}, {}], r"items\.1\.subject is missing"),
    ],
)
def test_a_complaint_names_the_place(kind: Kind, path: str, value: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{complaint}$") as refused:
        check_record(kind, _changed(kind, path, value))
    assert (refused.value.field or "").startswith(path.split(".")[0])


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidInput, match="half a character"):
        check_record(Kind.TRACK, _changed(Kind.TRACK, "title", "\ud800"))


@pytest.mark.parametrize("value", [None, [], "x", {}])
def test_what_is_no_record_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_record(Kind.TRACK, value)
    assert refused.value.field == "$type"


def test_the_authority_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in documents("fm.backline").items():
        assert "AUTHORITY" not in json.dumps(text), name
    set_environment(monkeypatch, NSID_AUTHORITY="com.example.music")
    assert collection_of(Kind.PROFILE) == "com.example.music.actor.profile"
    check_record(Kind.LIST, record(Kind.LIST))
    for wrong in ("backline", "Com.Example", "com..example", "com.example."):
        set_environment(monkeypatch, NSID_AUTHORITY=wrong)
        with pytest.raises(Misconfigured, match="NSID_AUTHORITY"):
            collection_of(Kind.TRACK)


def test_where_teal_looks_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, TEAL_PLAY_COLLECTION="fm.teal.alpha.feed.play")
    assert collection_of(Kind.PLAY) == "fm.teal.alpha.feed.play"
    check_record(Kind.PLAY, record(Kind.PLAY))
    with pytest.raises(InvalidInput, match="trackName is missing"):
        check_record(Kind.PLAY, {"$type": "fm.teal.alpha.feed.play"})
    for wrong in ("teal", "fm.teal", "fm..play", "fm.teal.play."):
        set_environment(monkeypatch, TEAL_PLAY_COLLECTION=wrong)
        with pytest.raises(Misconfigured, match="TEAL_PLAY_COLLECTION"):
            collection_of(Kind.PLAY)


def test_every_lexicon_is_one_and_every_kind_has_one() -> None:
    found = documents("fm.backline")
    assert {collection_of(kind) for kind in Kind} <= set(found)
    for document in found.values():
        lexicon_parse(document)


def test_a_lexicon_with_something_new_is_named() -> None:
    schema = {"type": "record", "record": {"type": "object", "properties": {"a": {"type": "bytes"}}}}
    with pytest.raises(Misconfigured, match="'bytes'"):
        Checker({"a.b.c": {"defs": {"main": schema}}}).check("a.b.c", {"$type": "a.b.c", "a": 1})


def test_the_documentation_shows_each_lexicon_as_it_is() -> None:
    shown = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert shown == [file.read_text() for file in sorted(FOLDER.glob("*.json"))]


def test_what_no_database_keeps_is_refused_where_no_lexicon_looks() -> None:
    for unknown in ("zero \x00", {"deep": ["\ud800"]}, float("inf"), "x" * 500_001):
        with pytest.raises(InvalidInput, match="cannot be kept"):
            check_record(Kind.LIKE, {**record(Kind.LIKE), "unknown": unknown})
    check_record(Kind.LIKE, {**record(Kind.LIKE), "unknown": {"deep": ["\\u0000 spelled out"]}})
