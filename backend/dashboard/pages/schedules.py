"""Schedules: when each is due, what came of it last, and what an operator changed about it."""

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.actions import Call, action
from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.json_input import json_object
from backend.dashboard.markup import NOTHING, button, card, join, moment, state, table
from backend.runtime import schedules
from backend.runtime.schedules import ScheduleView, list_schedules

HEADS = ("Task", "Due", "Next", "Last", "")
TIMINGS = "`every 300` (seconds), `every 5 m`, or a cron expression of five fields in UTC. It survives a deploy. Empty: as declared."
ARGUMENTS = "For this run only. {} means the defaults."


@page("/schedules", "schedules")
async def show(request: Request) -> View:
    """The page of all schedules."""
    return View("Schedules", "schedules", _load)


async def _load() -> Fragments:
    rows = [_row(each) for each in await list_schedules()]
    return {"schedules": card("What runs by itself", table(HEADS, rows, "No task declares a schedule.", "end"))}


def _row(each: ScheduleView) -> tuple[Markup | str, ...]:
    gone = NOTHING if each.known else Markup("<small>the code does not declare it any more</small>")
    timing = each.override or each.declared
    changed = Markup("<small>an override is in force; declared: <code>{}</code></small>").format(each.declared)
    last = (
        Markup('<a href="/desk/runs/{}">{}</a> {}').format(
            each.last_run_id, moment(each.last_at), state(each.last_state) if each.last_state else NOTHING
        )
        if each.last_run_id
        else moment(each.last_at)
    )
    return (
        Markup('<a href="/desk/runs?q=task:{0}">{0}</a>{1}').format(each.task, gone),
        Markup("<code>{}</code>{}").format(timing, changed if each.override else NOTHING),
        state("paused") if each.paused else moment(each.next_at),
        last,
        _buttons(each, timing),
    )


def _buttons(each: ScheduleView, timing: str) -> Markup:
    return join(
        (
            button("Run now", "schedule.run", each.task, edit="{}", title=f"Run {each.task} now", hint=ARGUMENTS, ok="Run", lines="1"),
            button("Interval", "schedule.interval", each.task, edit=timing, title=f"When {each.task} is due", hint=TIMINGS, ok="Save"),
            button("Resume", "schedule.resume", each.task, "main") if each.paused else button("Pause", "schedule.pause", each.task),
        ),
        " ",
    )  # fmt: skip


@action("schedule.run")
async def run_now(call: Call) -> None:
    """Run it once, and show the run."""
    receipt = await schedules.run_now(call.arg, json_object(call.value or "{}"))
    call.go(f"/runs/{receipt.id}")


@action("schedule.interval")
async def set_interval(call: Call) -> str:
    """Give it another timing, or its declared one back."""
    wanted = (call.value or "").strip().strip("`") or None
    await schedules.set_interval(call.arg, wanted)
    return f"{call.arg} is due {wanted}." if wanted else f"{call.arg} is due as declared."


@action("schedule.pause")
async def pause(call: Call) -> str:
    """Fire no more."""
    await schedules.pause(call.arg)
    return f"{call.arg} is paused."


@action("schedule.resume")
async def resume(call: Call) -> str:
    """Fire again."""
    await schedules.resume(call.arg)
    return f"{call.arg} goes on."
