"""Logs: what the newest attempts logged, by level, task and text."""

from fastapi import Request
from markupsafe import Markup

from backend.dashboard.feeds import Fragments
from backend.dashboard.frame import View, page
from backend.dashboard.markup import NOTHING, card, join, note
from backend.runtime.log_lines import ATTEMPTS, MOST, LogLine, recent_lines
from backend.runtime.registry import registry

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
EVERY_S = 2.0


@page("/logs", "logs")
async def show(request: Request) -> View:
    """The page of log lines. The filter is the URL."""
    level, task, text = (request.query_params.get(name, "")[:200] or None for name in ("level", "task", "text"))

    async def load() -> Fragments:
        lines = await recent_lines(level, task, text)
        body = (
            Markup('<div class="log wide">{}</div>').format(join(map(_line, lines)))
            if lines
            else note("No line matches. Attempts bring their lines when they end.")
        )
        said = f"Of the newest {ATTEMPTS} attempts that have ended, at most {MOST} lines."
        return {"lines": card("Newest first", body, Markup("<small>{}</small>").format(said))}

    return View("Logs", ("logs", level, task, text), load, EVERY_S, above=_filters(level, task, text))


def _line(line: LogLine) -> Markup:
    return Markup(
        '<div class="{0}"><span title="{1}">{2}</span><span>{0}</span>'
        '<a href="/desk/runs/{3}" title="attempt {4}">{5}</a><p title="{6}">{7}</p></div>'
    ).format(line.level, line.at, line.at[11:23], line.run_id, line.attempt, line.task, line.logger, line.message)


def _filters(level: str | None, task: str | None, text: str | None) -> Markup:
    levels = _options("Any level", LEVELS, level, " and above")
    tasks = _options("Any task", sorted(registry), task)
    return Markup(
        '<form class="filters" action="/desk/logs"><select name="level" aria-label="Level" data-sends>{}</select>'
        '<select name="task" aria-label="Task" data-sends>{}</select>'
        '<input name="text" type="search" value="{}" placeholder="Text" aria-label="Text"></form>'
    ).format(levels, tasks, text or "")


def _options(none: str, names: tuple[str, ...] | list[str], chosen: str | None, more: str = "") -> Markup:
    return Markup('<option value="">{}</option>{}').format(
        none,
        join(
            Markup('<option value="{0}"{2}>{0}{1}</option>').format(
                name, more if name != "ERROR" else "", Markup(" selected") if name == chosen else NOTHING
            )
            for name in names
        ),
    )
