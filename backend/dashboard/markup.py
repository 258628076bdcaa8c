"""Small pieces of HTML. Everything that comes from outside is escaped by `Markup.format`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

NOTHING = Markup("")
_DASH = Markup('<span class="none">–</span>')


def join(parts: Iterable[Markup | str], between: str = "") -> Markup:
    """One piece of several."""
    return Markup(between).join(parts)


def state(name: str) -> Markup:
    """A state as a badge."""
    return Markup('<span class="state {0}">{0}</span>').format(name)


def moment(at: datetime | None) -> Markup:
    """How long ago, or until when. The browser keeps it current, and shows the exact time on hovering."""
    if at is None:
        return _DASH
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S"))


def duration(seconds: float | None) -> str:
    """1.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return "–"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    days, rest = divmod(round(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    named = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((at for at, (value, _) in enumerate(named) if value), 3)
    return "\N{NO-BREAK SPACE}".join(
        f"{value}\N{NO-BREAK SPACE}{unit}" for value, unit in named[first : first + 2] if value
    )


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one to the other, if both are known."""
    return (end - start) / timedelta(seconds=1) if start and end else None


def button(label: str, act: str, arg: str = "", kind: str = "", **data: str) -> Markup:
    """A button that asks for an action. `kind` is a class of its look; `data` goes along."""
    more = join(Markup(' data-{}="{}"').format(name, value) for name, value in data.items())
    return Markup('<button type="button" class="act {}" data-act="{}" data-arg="{}"{}>{}</button>').format(
        kind, act, arg, more, label
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[Markup | str | int]], empty: str, kind: str = "") -> Markup:
    """A table whose cells know their column's name, which is shown on a phone. `empty` says what to do about none."""
    if not rows:
        return note(empty)
    head = join(Markup("<th>{}</th>").format(each) for each in heads)
    body = join(
        Markup("<tr>{}</tr>").format(
            join(Markup('<td data-head="{}"><div>{}</div></td>').format(*each) for each in zip(heads, row, strict=True))
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll"><table class="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(kind, head, body)


def note(text: str | Markup) -> Markup:
    """What stands where there is nothing to show."""
    return Markup('<p class="empty">{}</p>').format(text)


def card(title: str, body: Markup | str, aside: Markup | str = "", kind: str = "") -> Markup:
    """A titled part of a page."""
    return Markup(
        '<section class="card {}"><header><h2>{}</h2><div class="aside">{}</div></header>{}</section>'
    ).format(kind, title, aside, body)


def stack(*parts: Markup) -> Markup:
    """Parts below each other, with room between them. Empty ones are left out."""
    return Markup('<div class="stack">{}</div>').format(join(part for part in parts if part))


def facts(pairs: Mapping[str, Markup | str | int]) -> Markup:
    """Names and values."""
    return Markup('<dl class="facts">{}</dl>').format(
        join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*pair) for pair in pairs.items())
    )


def bar(progress: Mapping[str, Any] | None) -> Markup:
    """A run's progress with what is said of it."""
    if not progress:
        return NOTHING
    percent = float(progress.get("percent") or 0)
    said = [f"{percent:.0f} %", str(progress.get("message") or "")]
    if progress.get("eta_s"):
        said.append(f"{duration(float(progress['eta_s']))} left")
    return Markup(
        '<div class="load"><span class="bar" role="progressbar" aria-valuenow="{0:.0f}" aria-valuemin="0" aria-valuemax="100">'
        '<i style="width:{0:.1f}%"></i></span><small>{1}</small></div>'
    ).format(percent, " · ".join(filter(None, said)))


def tree(value: object, name: str | None = None, opened: bool = True) -> Markup:
    """JSON that folds."""
    label = Markup("<b>{}</b>: ").format(name) if name is not None else NOTHING
    if isinstance(value, Mapping | list) and value:
        pairs = sorted(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
        kind = f"{{{len(pairs)}}}" if isinstance(value, Mapping) else f"[{len(pairs)}]"
        inner = join(tree(each, str(key), len(pairs) <= 20) for key, each in pairs)
        return Markup("<details{}><summary>{}<i>{}</i></summary>{}</details>").format(
            Markup(" open") if opened else NOTHING, label, kind, inner
        )
    kind = "text" if isinstance(value, str) else "value"
    shown = json.dumps(value, ensure_ascii=False)
    return Markup('<div class="leaf">{}<code class="{}">{}</code></div>').format(label, kind, shown)
