"""The drawing of the error tree in the module's docstring is the tree."""

import inspect
import re
from datetime import timedelta

import pytest

from backend import errors
from backend.errors import AuthExpired, BacklineError, InvalidInput, RateLimited, Snooze, Steer

LINE = re.compile(r"^(?P<bars>[│ ]*)[├└]── (?P<name>\w+) +(?P<status>\d{3})(?: +(?P<rest>.*))?$", re.MULTILINE)
CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, BacklineError) and found is not BacklineError
}
STEERS = {"permanent": Steer.DIE, "try again": Steer.RETRY, "park": Steer.PARK, "hand the run back": Steer.SNOOZE}


def _drawn() -> list[tuple[str, str, int, str]]:
    """The drawing as (name, parent, status, text)."""
    path = ["BacklineError"]
    rows = []
    for match in LINE.finditer(errors.__doc__ or ""):
        depth = len(match["bars"]) // 4 + 1
        path[depth:] = [match["name"]]
        rows.append((match["name"], path[depth - 1], int(match["status"]), match["rest"] or ""))
    return rows


def test_the_drawing_names_every_class_under_its_parent() -> None:
    assert {name: parent for name, parent, _, _ in _drawn()} == {
        name: found.__bases__[0].__name__ for name, found in CLASSES.items()
    }


@pytest.mark.parametrize(("name", "status"), [(name, status) for name, _, status, _ in _drawn()])
def test_the_drawing_tells_the_status(name: str, status: int) -> None:
    assert CLASSES[name].status == status


@pytest.mark.parametrize(
    ("name", "rest"), [(name, rest) for name, _, _, rest in _drawn() if rest.startswith(tuple(STEERS))]
)
def test_the_drawing_tells_what_a_run_does(name: str, rest: str) -> None:
    wanted = next(steer for words, steer in STEERS.items() if rest.startswith(words))
    assert CLASSES[name].steer is wanted


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_has_a_title_of_its_own_and_a_sentence(name: str) -> None:
    assert CLASSES[name].title
    assert (CLASSES[name].__doc__ or "").split("`")[0].strip()
    assert [other for other, found in CLASSES.items() if found.title == CLASSES[name].title] == [name]


def test_every_error_steers_a_run() -> None:
    assert {found.steer for found in CLASSES.values()} == set(Steer)


def test_an_error_carries_what_the_caller_needs() -> None:
    error = InvalidInput("must be positive", field="limit")
    assert (str(error), error.detail, error.field, error.after) == (
        "must be positive",
        "must be positive",
        "limit",
        None,
    )
    assert RateLimited("slow down", after=timedelta(seconds=3)).after == timedelta(seconds=3)
    assert Snooze(after=timedelta(minutes=1)).after == timedelta(minutes=1)
    assert AuthExpired("sign in", subject="account:did:plc:abc").subject == "account:did:plc:abc"
