"""How the demo looks: bars that move while it works, and at the end what was made."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from backend.cli.output import STYLES, span, state_text
from backend.cli.waveform import draw

Json = dict[str, Any]


class RunBars:
    """One bar for each run, in the order they appear. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("  {task.fields[state]:<10}"),
            TextColumn("[bold]{task.description:<18}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", style="dim"),
            console=console,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> "RunBars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Json) -> None:
        """Move the bar of this run to where the run says it is."""
        if run["id"] not in self._bars:
            self._bars[run["id"]] = self._progress.add_task(run["task"], total=100.0, state="", message="")
        progress, state = run.get("progress") or {}, run["state"]
        style = STYLES.get(state, "")
        self._progress.update(
            self._bars[run["id"]],
            completed=100.0 if state == "succeeded" else progress.get("percent", 0.0),
            state=f"[{style}]{state}[/]" if style else state,
            message=run.get("error") or progress.get("message") or "",
        )


def track_panel(track: Json, pairs: Sequence[int], files: int, size: int) -> Panel:
    """The track: how it looks, what it is, how loud it is, and what a player would fetch of it."""
    version = track["version"]
    loudness = version["loudness"] or {}
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "sound", f"{version['codec']}, {version['duration_s']:.1f} s, {version['sample_rate']} Hz, {_channels(version)}"
    )
    facts.add_row("loudness", _loudness(loudness))
    facts.add_row("stream", f"{files} files, {size / 1000:,.0f} kB, fetched as a player would" if files else "none")
    wave = Text("\n".join(draw(pairs)), style="green") if pairs else Text("no waveform", style="dim")
    title = Text.assemble((track["title"], "bold"), "  ", (version["status"], STYLES.get("succeeded", "")))
    return Panel(Group(wave, "", facts), title=title, title_align="left", border_style="dim", expand=False)


def addresses(track: Json, base_url: str) -> list[Text]:
    """Where the track plays, for people and for players, and is drawn: one unbroken line each."""
    shown = [(name, path) for name, path in track["links"].items() if name.startswith(("page", "hls", "waveform"))]
    return [Text.assemble((f"{name:<15}", "dim"), (f"{base_url}{path}", "cyan")) for name, path in shown]


def run_table(runs: Sequence[Json], seconds: dict[str, tuple[float | None, float | None]]) -> Table:
    """The runs, and how long they waited and took."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("RUN OF", "STATE", "TRY", "WAITED", "TOOK"):
        table.add_column(name, no_wrap=True)
    for run in runs:
        waited, took = seconds[run["id"]]
        attempts = f"{run['attempt']}/{run['max_attempts']}"
        table.add_row(run["task"], state_text(run["state"]), attempts, span(waited), span(took))
    return table


def _channels(version: Json) -> str:
    return {1: "mono", 2: "stereo"}.get(version["channels"], f"{version['channels']} channels")


def _loudness(figures: Json) -> str:
    if figures.get("integrated_lufs") is None:
        return figures.get("note") or "not measured"
    parts = [f"{figures['integrated_lufs']:.1f} LUFS integrated"]
    if figures.get("range_lu") is not None:
        parts.append(f"range {figures['range_lu']:.1f} LU")
    if figures.get("true_peak_dbtp") is not None:
        parts.append(f"true peak {figures['true_peak_dbtp']:.1f} dBTP")
    return ", ".join(parts)
