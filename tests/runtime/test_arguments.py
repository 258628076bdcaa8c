"""A task's arguments, from a call to JSON and back."""

import json
from asyncio import Event
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from docket import CurrentExecution, Execution
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from backend.errors import InvalidArguments, InvalidInput
from backend.runtime.arguments import SIZE_LIMIT, Arguments


class Codec(Enum):
    OPUS = "opus"
    FLAC = "flac"


class Cut(BaseModel):
    start_s: float
    end_s: float | None = None


async def transcode(version_id: str, formats: list[str], codec: Codec = Codec.OPUS, *, tries: int = 1) -> None: ...


async def rich(
    when: datetime,
    ident: UUID,
    cut: Cut,
    price: Decimal,
    path: Path,
    span: timedelta,
    tags: set[str],
    pair: tuple[int, str],
) -> None: ...


async def loose(value, other: Any = None) -> None:  # type: ignore[no-untyped-def]
    ...


TRANSCODE, RICH, LOOSE = Arguments(transcode), Arguments(rich), Arguments(loose)


def test_a_call_becomes_json_by_name_with_its_defaults() -> None:
    expected = {"version_id": "v1", "formats": ["hls"], "codec": "flac", "tries": 1}
    assert TRANSCODE.bind(("v1", ["hls"], Codec.FLAC), {}) == expected
    assert TRANSCODE.bind(("v1",), {"formats": ["hls"], "codec": "flac"}) == expected
    assert TRANSCODE.normalise({"version_id": "v1", "formats": ["hls"], "codec": "flac"}) == expected
    assert TRANSCODE.load(expected)["codec"] is Codec.FLAC


def test_values_are_read_as_their_types_say() -> None:
    assert TRANSCODE.bind(("v1", ("hls",)), {"tries": "3"})["tries"] == 3


@pytest.mark.parametrize(
    ("args", "kwargs", "field"),
    [
        (("v1",), {}, "formats"),
        ((), {"formats": []}, "version_id"),
        (("v1", [], "opus", 2), {}, "args"),
        (("v1", []), {"bitrate": 3}, "bitrate"),
        (("v1", []), {"version_id": "v2"}, "version_id"),
        ((None, []), {}, "version_id"),
        (("v1", [1]), {}, "formats"),
        (("v1", [], "mp3"), {}, "codec"),
        (("v1", []), {"tries": "many"}, "tries"),
    ],
)
def test_a_wrong_call_names_the_parameter(args: tuple[Any, ...], kwargs: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        TRANSCODE.bind(args, kwargs)
    assert caught.value.field == field
    assert "transcode(" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "serialize"),
        (float("nan"), "JSON compliant"),
        ([1, {"deep": float("inf")}], "JSON compliant"),
        ("zero \x00 byte", "NUL"),
        ({"key\x00": 1}, "NUL"),
        ("half \ud800", "surrogate"),
        ("x" * SIZE_LIMIT, "limit"),
        ("é" * (SIZE_LIMIT // 2), "limit"),
        ([10**5000], "4300 digits"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_what_no_database_can_hold_is_refused(value: object, reason: str) -> None:
    with pytest.raises(InvalidArguments, match=reason):
        LOOSE.bind((value,), {})


def test_not_a_number_names_its_parameter() -> None:
    async def gain(db: float) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        Arguments(gain).bind((float("nan"),), {})
    assert caught.value.field == "db"


def test_what_json_cannot_give_back_is_refused_at_the_call() -> None:
    async def grid(cells: dict[tuple[int, int], str]) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        Arguments(grid).bind(({(1, 2): "x"},), {})
    assert caught.value.field == "cells"


def test_nesting_without_end_is_refused() -> None:
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(InvalidArguments):
        LOOSE.bind((ring,), {})


def test_six_characters_that_spell_a_nul_are_fine() -> None:
    data = LOOSE.bind(("\\u0000",), {"other": "\\\\u0000"})
    assert LOOSE.load(json.loads(json.dumps(data))) == {"value": "\\u0000", "other": "\\\\u0000"}


def test_parameters_may_have_any_name() -> None:
    async def odd(json: int, copy: str, _private: int = 1, model_config: str = "a", schema: str = "b") -> None: ...

    arguments = Arguments(odd)
    data = arguments.bind((1, "x"), {})
    assert data == {"json": 1, "copy": "x", "_private": 1, "model_config": "a", "schema": "b"}
    assert arguments.load(data) == data


def test_a_default_of_the_wrong_type_is_found_at_the_call() -> None:
    async def wrong(count: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    with pytest.raises(InvalidArguments) as caught:
        Arguments(wrong).bind((), {})
    assert caught.value.field == "count"


def test_constraints_of_a_parameter_hold() -> None:
    async def page(size: Annotated[int, Field(ge=1, le=100)] = 25) -> None: ...

    assert Arguments(page).bind((), {}) == {"size": 25}
    with pytest.raises(InvalidArguments, match="less than or equal to 100"):
        Arguments(page).bind((101,), {})


async def stars(*tracks: str) -> None: ...
async def words(**tracks: str) -> None: ...
async def positional(track: str, /) -> None: ...
async def injected(run: Execution = CurrentExecution()) -> None: ...
async def untypable(track: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def strange(lock: Event) -> None: ...


@pytest.mark.parametrize(
    ("function", "field"),
    [
        (stars, "tracks"),
        (words, "tracks"),
        (positional, "track"),
        (injected, "run"),
        (untypable, "untypable"),
        (strange, "strange"),
    ],
)
def test_a_signature_that_cannot_be_carried_is_refused(function: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Arguments(function)
    assert caught.value.field == field


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=10
)


@given(trees, trees)
def test_any_json_comes_back_as_it_was(value: object, other: object) -> None:
    data = LOOSE.bind((value,), {"other": other})
    assert LOOSE.load(json.loads(json.dumps(data))) == {"value": value, "other": other}
    assert LOOSE.normalise(data) == data


@given(
    st.builds(
        dict,
        when=st.datetimes(timezones=st.just(UTC)),
        ident=st.uuids(),
        cut=st.builds(Cut, start_s=st.floats(0, 1e6), end_s=st.none() | st.floats(0, 1e6)),
        price=st.decimals(allow_nan=False, allow_infinity=False, places=2),
        path=st.just(Path("/music/a b.flac")),
        span=st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
        tags=st.sets(text),
        pair=st.tuples(st.integers(-(2**60), 2**60), text),
    )
)
def test_rich_types_come_back_as_they_were(values: dict[str, Any]) -> None:
    assert RICH.load(json.loads(json.dumps(RICH.bind((), values)))) == values
