"""Keyset pages: a page says where the next one begins, and rows that arrive meanwhile shift nothing."""

from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import Field


class Identified(Protocol):
    """Anything with an id that sorts by creation."""

    @property
    def id(self) -> str: ...


I = TypeVar("I", bound=Identified)  # noqa: E741

Cursor = Annotated[
    str | None,
    Field(
        description="Only what is older than this id. Take it from `next`, do not make it up.",
        min_length=36,
        max_length=36,
        examples=["0192a6b1-7c1e-7d2f-8a3b-4c5d6e7f8091"],
    ),
]


def page(request: Request, found: Sequence[I], limit: int) -> tuple[list[I], str | None]:
    """At most `limit` of `found`, and the path of the next page if there is one.

    Ask the source for `limit + 1`: the one too many says that there is more.
    """
    items = list(found[:limit])
    if len(found) <= limit:
        return items, None
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return items, f"{request.url.path}?{urlencode([*query, ('cursor', items[-1].id)])}"
