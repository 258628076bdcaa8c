"""Dead runs as the library crew's own clients know them: `/dlq`, with pages by number and an envelope."""

import re
from collections import Counter
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from backend.api import examples
from backend.api.caller import ACTS, LOOKS, REFUSED
from backend.api.envelope import Envelope, refusals
from backend.api.state import AppSettings
from backend.db.base import now
from backend.db.models.runs import TERMINAL, State
from backend.errors import Conflict, InvalidInput, NotFound, UnknownTask
from backend.runtime import dead_letters, runs
from backend.runtime.dead_letters import DeadFilter
from backend.runtime.views import RunView

router = APIRouter(prefix="/dlq", tags=["dead runs"], route_class=Envelope, dependencies=[LOOKS])

DAY = timedelta(days=1)


class Letter(BaseModel):
    """A dead run. `reason` is a slug of what its error begins with."""

    id: str
    entity: str = Field(description="The task.")
    reason: str
    message: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    retry_count: int

    @classmethod
    def of(cls, run: RunView) -> "Letter":
        """From a run."""
        message = run.error or run.error_type or "unknown"
        return cls(
            id=run.id,
            entity=run.task,
            reason=reason_of(message),
            message=message,
            created_at=run.created_at,
            updated_at=run.finished_at or run.created_at,
            retry_count=max(run.attempt - 1, 0),
        )


class Page(BaseModel):
    """Some letters, and where they are among all."""

    items: list[Letter]
    page: int
    page_size: int
    total: int


class Skipped(BaseModel):
    """One that was not requeued, and why."""

    id: str
    reason: Literal["already_queued", "not_dead_letter", "enqueue_failed"]


class Requeued(BaseModel):
    """What became of each."""

    requeued: list[str]
    skipped: list[Skipped]


class Purged(BaseModel):
    """How many were deleted."""

    purged: int


class Stats(BaseModel):
    """How many there are, and of what they died."""

    total: int
    by_reason: dict[str, int]
    last_24h: int = Field(description="Those that died within the last day.")


class Enveloped(BaseModel):
    """What every answer of this family begins with."""

    ok: Literal[True] = True
    error: None = None


class PageAnswer(Enveloped):
    """A page."""

    data: Page


class RequeueAnswer(Enveloped):
    """What became of a requeue."""

    data: Requeued


class PurgeAnswer(Enveloped):
    """What became of a purge."""

    data: Purged


class StatsAnswer(Enveloped):
    """Counts."""

    data: Stats


class Order(StrEnum):
    """What a page is ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"


class Ids(BaseModel):
    """Which dead runs."""

    ids: list[str] = Field(min_length=1)


class What(BaseModel):
    """Which dead runs to delete: these, or all that died before a moment."""

    ids: list[str] | None = Field(None, min_length=1)
    older_than: AwareDatetime | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "What":
        if (self.ids is None) == (self.older_than is None):
            raise ValueError("give either ids or older_than")
        return self


def reason_of(message: str) -> str:
    """What stands before the first colon, else the first word, in lower case with `_` for all that is no letter."""
    first = message.partition(":")[0] if ":" in message else message.split(" ")[0]
    return re.sub(r"[^a-z0-9]+", "_", first.lower()).strip("_") or "unknown"


@router.get(
    "",
    summary="Page through dead runs",
    responses={
        200: examples.shown({"ok": True, "data": {"items": [], "page": 1, "page_size": 25, "total": 0}, "error": None})
    }
    | refusals(*REFUSED, 422, 503),
)
async def page_letters(
    settings: AppSettings,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    page_size: Annotated[int | None, Query(ge=1, description="At most DLQ_PAGE_SIZE_MAX.")] = None,
    reason: Annotated[str | None, Query(max_length=200, description="Part of the error.")] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    order_by: Order = Order.CREATED_AT,
    order_dir: Literal["asc", "desc"] = "desc",
) -> PageAnswer:
    """Dead runs, page by page. Keyed pages, which do not move while one reads, are at `GET /dead`."""
    bounds = settings.dead_letters
    size = page_size or min(bounds.dlq_page_size_default, bounds.dlq_page_size_max)
    if size > bounds.dlq_page_size_max:
        raise InvalidInput(f"page_size is {size}; at most {bounds.dlq_page_size_max} fit on a page", field="page_size")
    where = DeadFilter(error=reason, created_after=since, created_before=until)
    by_end, descending = order_by is Order.UPDATED_AT, order_dir == "desc"
    found, total = await dead_letters.page_dead(where, by_end, descending, size, size * (page - 1))
    return PageAnswer(data=Page(items=[Letter.of(run) for run in found], page=page, page_size=size, total=total))


@router.get(
    "/stats",
    summary="Count dead runs",
    responses={
        200: examples.shown(
            {"ok": True, "data": {"total": 3, "by_reason": {"timeout": 3}, "last_24h": 1}, "error": None}
        )
    }
    | refusals(*REFUSED, 503),
)
async def letter_stats() -> StatsAnswer:
    """How many there are, by what their errors begin with, and how many came within a day."""
    groups = await dead_letters.group_dead()
    reasons: Counter[str] = Counter()
    for group in groups:
        reasons[reason_of(group.example or group.error_type or "unknown")] += group.count
    _, recent = await dead_letters.page_dead(DeadFilter(ended_after=now() - DAY), True, True, 0, 0)
    return StatsAnswer(data=Stats(total=reasons.total(), by_reason=dict(reasons), last_24h=recent))


@router.post(
    "/requeue",
    summary="Requeue these dead runs",
    dependencies=[ACTS],
    responses={200: examples.shown({"ok": True, "data": {"requeued": ["0192"], "skipped": []}, "error": None})}
    | refusals(*REFUSED, 400, 413, 422, 503),
)
async def requeue_letters(which: Ids, settings: AppSettings) -> RequeueAnswer:
    """Run them again, at most DLQ_REQUEUE_LIMIT. Each that cannot be is named with the reason; the others go on."""
    _within(len(which.ids), settings.dead_letters.dlq_requeue_limit)
    done: list[str] = []
    skipped: list[Skipped] = []
    for each in dict.fromkeys(which.ids):
        try:
            run = await runs.get_run(each)
            if run.state != State.DEAD:
                skipped.append(
                    Skipped(id=each, reason="not_dead_letter" if run.state in TERMINAL else "already_queued")
                )
                continue
            await runs.requeue_run(each)
            done.append(each)
        except UnknownTask:
            skipped.append(Skipped(id=each, reason="enqueue_failed"))
        except NotFound:
            skipped.append(Skipped(id=each, reason="not_dead_letter"))
        except Conflict:
            skipped.append(Skipped(id=each, reason="already_queued"))
    return RequeueAnswer(data=Requeued(requeued=done, skipped=skipped))


@router.post(
    "/purge",
    summary="Purge these dead runs",
    dependencies=[ACTS],
    responses={200: examples.shown({"ok": True, "data": {"purged": 2}, "error": None})}
    | refusals(*REFUSED, 400, 413, 422, 503),
)
async def purge_letters(what: What, settings: AppSettings) -> PurgeAnswer:
    """Delete them for ever, at most DLQ_PURGE_LIMIT in one request."""
    if what.ids is not None:
        _within(len(what.ids), settings.dead_letters.dlq_purge_limit)
        return PurgeAnswer(data=Purged(purged=await dead_letters.purge_dead(ids=what.ids)))
    where = DeadFilter(error=what.reason, ended_before=what.older_than)
    found, _ = await dead_letters.page_dead(where, True, False, settings.dead_letters.dlq_purge_limit, 0)
    return PurgeAnswer(data=Purged(purged=await dead_letters.purge_dead(ids=[run.id for run in found])))


def _within(count: int, most: int) -> None:
    if count > most:
        raise InvalidInput(f"{count} ids; at most {most} in one request", field="ids")
