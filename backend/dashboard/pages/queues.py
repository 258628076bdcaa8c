"""Queues: how deep, how limited, how late; pause and resume a queue or one of its tasks."""

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.actions import Call, action
from backend.dashboard.banners import banners
from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, button, card, duration, join, table
from backend.runtime import queues
from backend.runtime.queues import QueueView, list_queues
from backend.runtime.registry import TaskSpec, registry

HEADS = ("Queue", "Waiting", "Queued", "Scheduled", "Running", "Dead", "Limit", "Oldest waiting", "")


@page("/queues", "queues")
async def show(request: Request) -> View:
    """The page of all queues."""
    return View("Queues", "queues", _load)


async def _load() -> Fragments:
    found = await list_queues()
    paused = [each.name for each in found if each.paused]
    brakes = join(
        Markup(
            '<div class="banner" role="status"><b>{} is paused</b> Nothing of it starts until it is resumed.</div>'
        ).format(name)
        for name in paused
    )
    return {
        "banners": Markup("{}{}").format(brakes, await banners(found)),
        "queues": card("Queues", table(HEADS, [_row(each) for each in found], "No queue is declared.", "end")),
        "tasks": card("Tasks", _tasks(found)),
    }


def _row(each: QueueView) -> tuple[Markup | str | int, ...]:
    def count(state: str, number: int) -> Markup | int:
        link = Markup('<a href="/desk/runs?q=queue:{} state:{}">{:,}</a>')
        return link.format(each.name, state, number) if number else Markup('<span class="none">0</span>')

    limits = [f"{each.concurrency} at a time" if each.concurrency else "", each.rate or ""]
    return (
        Markup("<b>{}</b>{}").format(
            each.name, Markup(' <span class="state paused">paused</span>') if each.paused else NOTHING
        ),
        count("waiting", each.waiting),
        count("queued", each.queued),
        count("scheduled", each.scheduled),
        count("running", each.running),
        count("dead", each.dead),
        ", ".join(filter(None, limits)) or "–",
        duration(each.oldest_waiting_s),
        button("Resume", "queue.resume", each.name, "main")
        if each.paused
        else button("Pause", "queue.pause", each.name),
    )


def _tasks(found: list[QueueView]) -> Markup:
    paused = {task for each in found for task in each.paused_tasks}
    rows = [
        _task(spec, spec.name in paused) for spec in sorted(registry.values(), key=lambda spec: (spec.queue, spec.name))
    ]
    heads = ("Task", "Queue", "Priority", "Attempts", "Timeout", "Limit", "")
    return table(heads, rows, "No task is declared.", "end")


def _task(spec: TaskSpec, paused: bool) -> tuple[Markup | str | int, ...]:
    limits = [
        f"{spec.limit} at a time" if spec.limit else "",
        f"{spec.rate.count} in {duration(spec.rate.per.total_seconds())}" if spec.rate else "",
    ]
    return (
        Markup('<a href="/desk/runs?q=task:{0}">{0}</a>{1}').format(
            spec.name, Markup(' <span class="state paused">paused</span>') if paused else NOTHING
        ),
        spec.queue,
        spec.priority,
        spec.retry.attempts,
        duration(spec.timeout.total_seconds()) if spec.timeout else "–",
        ", ".join(filter(None, limits)) or "–",
        button("Resume", "task.resume", spec.name, "main") if paused else button("Pause", "task.pause", spec.name),
    )


@action("queue.pause")
async def pause_queue(call: Call) -> str:
    """Start nothing more of a queue."""
    await queues.pause_queue(call.arg)
    return f"{call.arg} is paused."


@action("queue.resume")
async def resume_queue(call: Call) -> str:
    """Go on with a queue."""
    await queues.resume_queue(call.arg)
    return f"{call.arg} goes on."


@action("task.pause")
async def pause_task(call: Call) -> str:
    """Start no more runs of a task."""
    await queues.pause_task(call.arg)
    return f"{call.arg} is paused."


@action("task.resume")
async def resume_task(call: Call) -> str:
    """Go on with a task."""
    await queues.resume_task(call.arg)
    return f"{call.arg} goes on."
