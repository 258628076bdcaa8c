"""The desk's small parts, without a browser: the search field, redaction, durations, JSON that folds."""

import pytest

from backend.dashboard.json_input import json_object
from backend.dashboard.markup import duration, table, tree
from backend.dashboard.rail import short
from backend.dashboard.redaction import HIDDEN, redacted, restored
from backend.dashboard.search import to_filter
from backend.db.session import Database
from backend.errors import InvalidInput
from backend.runtime.runs import RunFilter


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", RunFilter()),
        ("task:a queue:media state:dead,running", RunFilter(task="a", queue="media", state=["dead", "running"])),
        ('key:"two words"', RunFilter(key="two words")),
        ("key:track:7", RunFilter(key="track:7")),
        ("args.track_id:t1 args.a.b:true", RunFilter(args={"track_id": "t1", "a.b": "true"})),
        ("no such  file", RunFilter(text="no such file")),
        ("http://x.example task:a", RunFilter(task="a", text="http://x.example")),
        ("task:", RunFilter()),
        ("group:5c id:0198", RunFilter(error_group="5c", ids=["0198"])),
        ("trace:ab request:r-1", RunFilter(trace="ab", request="r-1")),
    ],
)
async def test_what_is_typed_is_meant(sqlite_database: Database, typed: str, meant: RunFilter) -> None:
    assert await to_filter(typed) == meant


async def test_a_state_that_is_none_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(InvalidInput, match="no state 'ded'; states are waiting, queued"):
        await to_filter("state:dead,ded")


def test_secrets_are_hidden_and_survive_an_edit() -> None:
    given = {"user": "nina", "app_password": "hush", "deep": [{"accessToken": "hush"}, {"name": "x"}], "token": None}
    shown = redacted(given)
    assert "hush" not in str(shown)
    assert shown == {
        "user": "nina",
        "app_password": HIDDEN,
        "deep": [{"accessToken": HIDDEN}, {"name": "x"}],
        "token": None,
    }
    shown["user"] = "tom"
    assert restored(shown, given) == given | {"user": "tom"}
    shown["app_password"] = "new"
    assert restored(shown, given)["app_password"] == "new"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"), (0.0042, "4 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"), (59.96, "1 min"), (185, "3 min 5 s"),
        (7800, "2 h 10 min"), (273_600, "3 d 4 h"), (86_400, "1 d"),
    ],
)  # fmt: skip
def test_durations_are_short(seconds: float | None, shown: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_counts_are_short() -> None:
    assert [short(count) for count in (0, 999, 1000, 1234, 34_567, 1_200_000)] == [
        "0",
        "999",
        "1k",
        "1.2k",
        "34k",
        "1.2M",
    ]


def test_what_comes_from_outside_is_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    for drawn in (tree({hostile: [hostile]}), table((hostile,), [(hostile,)], ""), table((), [], hostile)):
        assert "<img" not in drawn
        assert "&lt;img" in drawn


def test_arguments_are_an_object() -> None:
    assert json_object('{"a": 1}') == {"a": 1}
    for text in ("[1]", "{", "nonsense"):
        with pytest.raises(InvalidInput, match="the arguments are"):
            json_object(text)
