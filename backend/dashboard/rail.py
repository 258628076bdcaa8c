"""The navigation: every page, with how many runs are in each state beside it."""

from markupsafe import Markup

from backend.dashboard.feeds import Fragments
from backend.dashboard.markup import NOTHING, join
from backend.db.models.runs import State
from backend.runtime.runs import count_runs

# Path under /desk, name, and the letter that goes there after `g`.
ROOMS = (
    ("", "Overview", "o"),
    ("runs", "Runs", "r"),
    ("queues", "Queues", "q"),
    ("schedules", "Schedules", "s"),
    ("dead", "Dead letters", "d"),
    ("workers", "Workers", "w"),
    ("logs", "Logs", "l"),
    ("audit", "Audit", "a"),
)


async def load() -> Fragments:
    """The navigation as it is now."""
    counts = await count_runs()
    return {"rail": join(_link(*room, counts) for room in ROOMS)}


def _link(path: str, name: str, key: str, counts: dict[str, int]) -> Markup:
    badge, below = NOTHING, NOTHING
    if path == "dead" and counts[State.DEAD]:
        badge = Markup('<em class="bad">{}</em>').format(short(counts[State.DEAD]))
    if path == "runs":
        below = Markup('<div class="states">{}</div>').format(
            join(
                Markup(
                    '<a href="/desk/runs?q=state:{0}" class="{2}"><i class="dot {0}"></i>{0}<em>{1}</em></a>'
                ).format(state, short(count), "" if count else "zero")
                for state, count in counts.items()
            )
        )
    return Markup('<a class="room" data-room="{0}" href="/desk/{0}" title="g {2}"><span>{1}</span>{3}</a>{4}').format(
        path, name, key, badge, below
    )


def short(count: int) -> str:
    """12, 1.2k, 34k, 1.2M."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if count >= size:
            return (
                f"{count / size:.1f}".rstrip("0").rstrip(".") + unit if count < 10 * size else f"{count // size}{unit}"
            )
    return str(count)
