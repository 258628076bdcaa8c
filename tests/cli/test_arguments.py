"""Words of a command line as arguments of a task."""

import pytest

from backend.cli.arguments import parse_arguments
from backend.errors import InvalidArguments
from backend.runtime.arguments import Arguments


async def work(
    name: str,
    count: int = 1,
    deep: bool = False,
    tags: list[str] | None = None,
    extra: dict[str, int] = {},  # noqa: B006
) -> None:
    """Every kind of parameter."""


DEFAULTS = {"count": 1, "deep": False, "tags": None, "extra": {}}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["x"], {"name": "x"}),
        (["5"], {"name": "5"}),
        (["x", "3", "true"], {"name": "x", "count": 3, "deep": True}),
        (["count=3", "x"], {"name": "x", "count": 3}),
        (["x", 'tags=["a","b"]'], {"name": "x", "tags": ["a", "b"]}),
        (["x", 'extra={"a": 1}'], {"name": "x", "extra": {"a": 1}}),
        (["name=a=b"], {"name": "a=b"}),
        (["unknown=1"], {"name": "unknown=1"}),
        (["two words"], {"name": "two words"}),
        ([""], {"name": ""}),
        (['{"name": "x", "tags": ["a"]}'], {"name": "x", "tags": ["a"]}),
    ],
)
def test_reads(words: list[str], expected: dict[str, object]) -> None:
    assert parse_arguments(Arguments(work), words) == DEFAULTS | expected


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ([], "name"),
        (["x", "many"], "count"),
        (["x", "tags=a"], "tags"),
        (["x", "name=y"], "name"),
        (["a", "1", "0", "[]", "{}", "more"], "ARGS"),
        (['{"name": 1}'], "name"),
        (['{"nme": "x"}'], "name"),
        (["{"], "ARGS"),
    ],
)
def test_refuses_and_names_the_parameter(words: list[str], field: str) -> None:
    with pytest.raises(InvalidArguments) as raised:
        parse_arguments(Arguments(work), words)
    assert raised.value.field == field
