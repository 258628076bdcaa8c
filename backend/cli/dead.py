"""`backline dead`: dead runs, what they died of, and what to do with them."""

from dataclasses import replace
from typing import Annotated

import typer

from backend.cli.output import ago, err, out, print_json, print_table
from backend.cli.runs import print_runs
from backend.cli.session import AsJson, command, ledger, moment
from backend.db.models.runs import State
from backend.errors import InvalidInput
from backend.runtime import dead_letters, runs
from backend.runtime.runs import RunFilter

app = typer.Typer(help="List, group, requeue and purge dead runs.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of dead runs.", show_default=False)]
Task = Annotated[str | None, typer.Option(help="Name of the task.")]
Queue = Annotated[str | None, typer.Option(help="Name of the queue.")]
Group = Annotated[str | None, typer.Option(help="Error group, as `backline dead groups` names it.")]
Text = Annotated[str | None, typer.Option(help="Part of the error, the task, the key or the id.")]
Since = Annotated[str | None, typer.Option(help="Created after: 2h, 7d, or ISO 8601.")]
All = Annotated[bool, typer.Option("--all", help="Every dead run.")]


@app.command("list")
@command
async def list_dead(
    task: Task = None,
    queue: Queue = None,
    group: Group = None,
    text: Text = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most runs to show.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Only what is older than this run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Dead runs that match, newest first."""
    async with ledger() as settings:
        size = limit or settings.dead_letters.dlq_page_size_default
        found = await dead_letters.list_dead(_filter(task, queue, group, text, since), limit=size + 1, before=cursor)
    print_runs(found, size, as_json)


@app.command("groups")
@command
async def group_dead(as_json: AsJson = False) -> None:
    """What runs die of: errors that read alike are one group."""
    async with ledger():
        groups = await dead_letters.group_dead()
    if as_json:
        print_json(groups)
        return
    rows = [
        (
            g.error_group,
            g.count,
            g.task,
            g.error_type,
            ago(g.newest_at),
            (g.example or "").splitlines()[0][:100] if g.example else "",
        )
        for g in groups
    ]
    print_table(("GROUP", "RUNS", "TASK", "ERROR", "NEWEST", "EXAMPLE"), rows, empty="No dead runs.")


@app.command("requeue")
@command
async def requeue_dead(
    ids: Ids = None, task: Task = None, queue: Queue = None, group: Group = None, text: Text = None,
    since: Since = None, everything: All = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run dead runs again: by id, by filter, or --all."""
    async with ledger():
        chosen = _chosen(ids, everything, _filter(task, queue, group, text, since))
        done = await dead_letters.requeue_dead(chosen, chosen.ids)
        await _report("requeued", done, chosen, as_json)


@app.command("purge")
@command
async def purge_dead(
    ids: Ids = None, task: Task = None, queue: Queue = None, group: Group = None, text: Text = None,
    since: Since = None, everything: All = False, as_json: AsJson = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:  # fmt: skip
    """Delete dead runs for ever: by id, by filter, or --all. Asks first."""
    async with ledger():
        chosen = _chosen(ids, everything, _filter(task, queue, group, text, since))
        count = await _dead_count(chosen)
        if not yes and not typer.confirm(f"Delete {count} dead run(s) for ever?", err=True):
            err.print("Nothing was deleted.")
            return
        done = await dead_letters.purge_dead(chosen, chosen.ids)
        await _report("purged", done, chosen, as_json)


def _filter(task: str | None, queue: str | None, group: str | None, text: str | None, since: str | None) -> RunFilter:
    after = moment(since) if since else None
    return RunFilter(state=[State.DEAD], task=task, queue=queue, error_group=group, text=text, created_after=after)


def _chosen(ids: list[str] | None, everything: bool, wanted: RunFilter) -> RunFilter:
    filtered = wanted != RunFilter(state=[State.DEAD])
    if sum((bool(ids), everything, filtered)) != 1:
        raise InvalidInput("say which dead runs: ids, or a filter such as --group, or --all", field="RUN")
    return replace(wanted, ids=list(ids)) if ids else wanted


async def _dead_count(wanted: RunFilter) -> int:
    return (await runs.count_runs(wanted))[State.DEAD]


async def _report(verb: str, done: int, chosen: RunFilter, as_json: bool) -> None:
    remaining = await _dead_count(chosen)
    if as_json:
        print_json({verb: done, "remaining": remaining})
        return
    more = f"; {remaining} more match: run it again" if remaining else ""
    out.print(f"{verb} {done}{more}")
