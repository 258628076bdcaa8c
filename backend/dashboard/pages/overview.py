"""Overview: what runs, what waits, what fails, at one look."""

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.banners import banners
from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, bar, card, duration, join, moment, table
from backend.dashboard.rail import short
from backend.runtime.board import Minute, by_minute, running_now
from backend.runtime.dead_letters import DeadGroup, group_dead
from backend.runtime.queues import QueueView, list_queues
from backend.runtime.views import RunView

GROUPS = 8
HEIGHT, STEP, WIDE = 132, 12, 9


@page("/", "")
async def overview(request: Request) -> View:
    """The first page."""
    return View("Overview", "overview", _load)


async def _load() -> Fragments:
    queues = await list_queues()
    minutes, active, groups = await by_minute(), await running_now(), await group_dead()
    return {
        "banners": await banners(queues),
        "figures": _figures(queues, minutes),
        "chart": card("The last hour, by minute", chart(minutes), LEGEND),
        "active": card(
            "Running now", _active(active), Markup('<a class="more" href="/desk/runs?q=state:running">All</a>')
        ),
        "below": Markup('<div class="pair">{}{}</div>').format(
            card("Queues", _queues(queues), Markup('<a class="more" href="/desk/queues">All</a>')),
            card("Dead, by error", _groups(groups[:GROUPS]), Markup('<a class="more" href="/desk/dead">All</a>')),
        ),
    }


LEGEND = Markup(
    '<span class="legend"><span><i></i>runs succeeded</span><span class="bad"><i></i>attempts failed</span></span>'
)


def _figures(queues: list[QueueView], minutes: list[Minute]) -> Markup:
    oldest = max((each.oldest_waiting_s for each in queues if each.oldest_waiting_s is not None), default=None)
    running, dead = sum(each.running for each in queues), sum(each.dead for each in queues)
    waiting = sum(each.waiting + each.queued for each in queues)
    shown = (
        ("running", "busy" if running else "", short(running), "running", "/desk/runs?q=state:running"),
        ("waiting", "", short(waiting), "waiting", "/desk/runs?q=state:waiting"),
        ("oldest", "", duration(oldest), "oldest waiting", "/desk/queues"),
        (
            "hour",
            "",
            short(sum(each.succeeded for each in minutes)),
            "succeeded in an hour",
            "/desk/runs?q=state:succeeded",
        ),
        ("dead", "bad" if dead else "", short(dead), "dead", "/desk/dead"),
    )
    return Markup('<div class="figures">{}</div>').format(
        join(
            Markup('<a class="{}" data-figure="{}" href="{}"><b>{}</b><small>{}</small></a>').format(
                kind, name, href, value, label
            )
            for name, kind, value, label, href in shown
        )
    )


def chart(minutes: list[Minute]) -> Markup:
    """Bars, the newest at the right. What failed stands on what succeeded."""
    most = max((each.succeeded + each.failed for each in minutes), default=0)
    scale = (HEIGHT - 4) / max(most, 1)
    bars = []
    for at, each in enumerate(minutes):
        good, bad, left = each.succeeded * scale, each.failed * scale, at * STEP
        bars.append(
            Markup(
                '<g><rect class="over" x="{0}" y="0" width="{1}" height="{2}"/>'
                '<rect class="good" x="{0}" y="{3:.1f}" width="{4}" height="{5:.1f}" rx="1.5"/>'
                '<rect class="bad" x="{0}" y="{6:.1f}" width="{4}" height="{7:.1f}" rx="1.5"/>'
                "<title>{8} UTC: {9} succeeded, {10} failed</title></g>"
            ).format(
                left, STEP, HEIGHT, HEIGHT - good, WIDE, good, HEIGHT - good - bad, bad, f"{each.at:%H:%M}",
                each.succeeded, each.failed,
            )
        )  # fmt: skip
    return Markup(
        '<svg class="chart" viewBox="0 0 {0} {1}" preserveAspectRatio="none" role="img" aria-label="{4}">'
        '{2}<line x1="0" x2="{0}" y1="{1}" y2="{1}"/></svg>'
        '<div class="axis"><span>an hour ago</span><span>most in a minute: {3}</span><span>now</span></div>'
    ).format(
        len(minutes) * STEP, HEIGHT, join(bars), most,
        f"{sum(each.succeeded for each in minutes)} runs succeeded and "
        f"{sum(each.failed for each in minutes)} attempts failed in the last hour",
    )  # fmt: skip


def _active(runs: list[RunView]) -> Markup:
    rows = [
        (
            Markup('<a href="/desk/runs/{}">{}</a> <span class="key">{}</span>').format(
                run.id, run.task, run.key or ""
            ),
            run.queue,
            bar(run.progress) or Markup("<small>no progress told</small>"),
            moment(run.started_at),
        )
        for run in runs
    ]
    return table(
        ("Run", "Queue", "Progress", "Started"), rows, "Nothing runs. What is enqueued appears here by itself."
    )


def _queues(queues: list[QueueView]) -> Markup:
    rows = [
        (
            Markup('<a href="/desk/runs?q=queue:{0}">{0}</a>{1}').format(
                each.name, Markup(' <span class="state paused">paused</span>') if each.paused else NOTHING
            ),
            each.waiting + each.queued,
            each.running,
            duration(each.oldest_waiting_s),
        )
        for each in queues
    ]
    return table(("Queue", "Waiting", "Running", "Oldest"), rows, "No queue is declared.")


def _groups(groups: list[DeadGroup]) -> Markup:
    rows = [
        (
            each.count,
            Markup('<a href="/desk/runs?q={}">{}</a><small>{}</small><span class="clip" title="{}">{}</span>').format(
                f"state:dead group:{each.error_group} task:{each.task}", each.error_type or "unknown", each.task,
                each.example or "", each.example or "",
            ),
            moment(each.newest_at),
        )
        for each in groups
    ]  # fmt: skip
    return table(("Runs", "Error", "Newest"), rows, "Nothing is dead.")
