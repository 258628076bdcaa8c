"""Dead runs: list them, see what they died of, bring them back, or clear them away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from backend.api import examples
from backend.api.body import SmallBody
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.paging import Cursor, page
from backend.api.problems import problems
from backend.api.runs import RunPage
from backend.api.state import AppSettings
from backend.db.models.runs import State
from backend.errors import InvalidInput
from backend.runtime import dead_letters, runs
from backend.runtime.dead_letters import DeadGroup
from backend.runtime.runs import RunFilter

router = APIRouter(prefix="/dead", tags=["dead runs"], route_class=SmallBody, dependencies=[LOOKS])


class Matching(BaseModel):
    """Which dead runs. What is left out matches all; an empty filter is every dead run."""

    model_config = ConfigDict(extra="forbid")

    task: str | None = None
    queue: str | None = None
    key: str | None = None
    text: str | None = Field(None, max_length=200, description="Part of the error, the task, the key or the id.")
    error_group: str | None = Field(None, description="As `/dead/groups` names it.")
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None

    def to_filter(self) -> RunFilter:
        """The same, as the ledger takes it."""
        return RunFilter(state=[State.DEAD], **self.model_dump(exclude={"cursor", "limit"}))


class DeadQuery(Matching):
    """What is asked for in the query."""

    cursor: Cursor = None
    limit: int | None = Field(None, ge=1, description="Runs on one page; DLQ_PAGE_SIZE_MAX at most.")


class Selection(BaseModel):
    """Dead runs by id, or by a filter. One of the two."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"ids": [examples.RUN_ID]}, {"filter": {"error_group": "5c2d9a01b7e4f310"}}]},
    )

    ids: list[str] | None = Field(None, min_length=1, max_length=1000)
    filter: Matching | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Selection":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either `ids` or `filter`")
        return self

    @property
    def where(self) -> RunFilter | None:
        """The filter, as the ledger takes it."""
        return self.filter.to_filter() if self.filter else None


class Done(BaseModel):
    """How many runs an action reached, and how many that match are still dead."""

    done: int
    remaining: int = Field(description="Matching dead runs that are left; ask again when one request was not enough.")


@router.get(
    "", summary="List dead runs", responses={200: examples.shown(examples.DEAD_PAGE)} | problems(*REFUSED, 422, 503)
)
async def list_dead(request: Request, settings: AppSettings, query: Annotated[DeadQuery, Query()]) -> RunPage:
    """Dead runs that match, newest first."""
    bounds = settings.dead_letters
    if query.limit and query.limit > bounds.dlq_page_size_max:
        raise InvalidInput(f"limit is {query.limit}; at most {bounds.dlq_page_size_max} fit on a page", field="limit")
    size = query.limit or bounds.dlq_page_size_default
    found = await dead_letters.list_dead(query.to_filter(), limit=size + 1, before=query.cursor)
    items, following = page(request, found, size)
    return RunPage(items=items, next=following)


@router.get(
    "/groups",
    summary="Group dead runs by error",
    responses={200: examples.shown([examples.DEAD_GROUP])} | problems(*REFUSED, 503),
)
async def group_dead() -> list[DeadGroup]:
    """What runs die of: errors that read alike are one group, the largest first."""
    return await dead_letters.group_dead()


@router.post(
    "/requeue",
    dependencies=[ACTS],
    summary="Requeue dead runs",
    responses={200: examples.shown({"done": 17, "remaining": 0})} | problems(*REFUSED, 400, 404, 413, 422, 503),
)
async def requeue_dead(selection: Selection) -> Done:
    """Run dead runs again with fresh attempts: at most DLQ_REQUEUE_LIMIT in one request."""
    return await _left(selection, await dead_letters.requeue_dead(selection.where, selection.ids))


@router.post(
    "/purge",
    dependencies=[ACTS],
    summary="Purge dead runs",
    responses={200: examples.shown({"done": 17, "remaining": 0})} | problems(*REFUSED, 400, 413, 422, 503),
)
async def purge_dead(selection: Selection) -> Done:
    """Delete dead runs with their attempts, for ever: at most DLQ_PURGE_LIMIT in one request."""
    return await _left(selection, await dead_letters.purge_dead(selection.where, selection.ids))


async def _left(selection: Selection, done: int) -> Done:
    wanted = selection.where or RunFilter(state=[State.DEAD], ids=selection.ids)
    counts = await runs.count_runs(wanted)
    return Done(done=done, remaining=counts[State.DEAD])
