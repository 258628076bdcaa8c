"""What both databases can hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text as sql

from backend.db.session import Database
from backend.runtime.storable import json_text, storable

HARD = ["", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\\u0000", "\\\x00", "😀", "é\u2028", "\x1b[31m"]


@given(st.text(st.characters(), max_size=60) | st.sampled_from(HARD), st.integers(2, 40))
def test_text_is_clean_and_within_its_limit(value: str, limit: int) -> None:
    clean = storable(value, limit)
    assert "\x00" not in clean
    clean.encode()
    assert len(clean) <= limit + len("\n… cut …\n")


def test_clean_text_stays_as_it_is() -> None:
    assert storable("Für Elise 😀", 100) == "Für Elise 😀"


@pytest.mark.parametrize("value", [{1: "x"}, [None, True, 1.5, "\\u0000", {"a": []}], "x" * 90])
def test_json_is_given_as_text(value: object) -> None:
    assert json.loads(json_text(value, 100)) == json.loads(json.dumps(value))


@pytest.mark.parametrize("value", [{"a": object()}, float("nan"), "a\x00", ["\udc00"], "é" * 50, {(1, 2): 3}])
def test_what_is_no_json_of_that_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json_text(value, 100)


@pytest.mark.parametrize("value", HARD)
async def test_what_is_let_through_can_be_stored(database: Database, value: str) -> None:
    try:
        as_json = json_text({value: value}, 1000)
    except ValueError:
        as_json = "null"
    kind = "json" if database.is_sqlite else "jsonb"
    async with database.reading() as session:
        row = (
            await session.execute(
                sql(
                    f"SELECT CAST(:text AS text), CAST(CAST(:json AS {kind}) AS text)"
                    if kind == "jsonb"
                    else "SELECT :text, json(:json)"
                ),
                {"text": storable(value, 100), "json": as_json},
            )
        ).one()
    assert row[0] == storable(value, 100)
    assert json.loads(row[1]) == json.loads(as_json)
