"""`backline runs`: find runs, look at one, follow it, cancel it, requeue it."""

import json
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text

from backend.cli.output import ago, between, out, print_json, print_table, state_text
from backend.cli.session import AsJson, RunId, command, ledger, moment
from backend.cli.watch import watch_run
from backend.db.models.runs import State
from backend.errors import InvalidInput
from backend.runtime import runs
from backend.runtime.runs import RunFilter
from backend.runtime.views import AttemptView, RunView

app = typer.Typer(help="Find, show, follow, cancel and requeue runs.", no_args_is_help=True)


app.command("watch")(watch_run)


@app.command("list")
@command
async def list_runs(
    state: Annotated[list[State] | None, typer.Option(help="One or more states.")] = None,
    task: Annotated[str | None, typer.Option(help="Name of the task.")] = None,
    queue: Annotated[str | None, typer.Option(help="Name of the queue.")] = None,
    key: Annotated[str | None, typer.Option(help="The run's unique key.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of the error, the task, the key or the id.")] = None,
    since: Annotated[str | None, typer.Option(help="Created after: 2h, 7d, or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Created before: 2h, 7d, or ISO 8601.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most runs to show.")] = 25,
    cursor: Annotated[str | None, typer.Option(help="Only what is older than this run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs that match, newest first."""
    async with ledger():
        wanted = RunFilter(
            state=[*state] if state else None,
            task=task,
            queue=queue,
            key=key,
            text=text,
            created_after=moment(since) if since else None,
            created_before=moment(until) if until else None,
        )
        found = await runs.list_runs(wanted, limit=limit + 1, before=cursor)
    print_runs(found, limit, as_json)


def print_runs(found: list[RunView], limit: int, as_json: bool) -> None:
    """A page of runs. `found` has one more than `limit` when there is another page."""
    items, more = found[:limit], len(found) > limit
    if as_json:
        print_json({"items": items, "next": items[-1].id if more else None})
        return
    print_table(
        ("RUN", "TASK", "STATE", "TRY", "CREATED", "TOOK", ""), [_row(each) for each in items], empty="No runs."
    )
    if more:
        out.print(f"… more: --cursor {items[-1].id}", style="dim")


def _row(run: RunView) -> tuple[str | Text, ...]:
    return (
        run.id,
        run.task,
        state_text(run.state),
        f"{run.attempt}/{run.max_attempts or '?'}",
        ago(run.created_at),
        between(run.started_at, run.finished_at),
        _remark(run),
    )


def _remark(run: RunView) -> str:
    if run.error:
        return run.error.splitlines()[0][:100]
    if run.state == State.RUNNING and run.progress:
        return f"{run.progress['percent']:.0f} % {run.progress.get('message') or ''}".strip()
    return f"due {ago(run.due_at)}" if run.state == State.SCHEDULED else ""


@app.command("show")
@command
async def show_run(run: RunId, as_json: AsJson = False) -> None:
    """One run with every attempt, its error and its log."""
    async with ledger():
        view = await runs.get_run(run)
    if as_json:
        print_json(view)
        return
    head = Text.assemble(
        (view.task, "bold"), "  ", state_text(view.state), f"  attempt {view.attempt}/{view.max_attempts or '?'}"
    )
    facts = {
        "id": view.id,
        "queue": f"{view.queue}, priority {view.priority}",
        "key": view.key,
        "args": json.dumps(view.args, ensure_ascii=False),
        "created": f"{view.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(view.created_at)}",
        "waited": between(view.created_at, view.started_at) if view.started_at else None,
        "took": between(view.started_at, view.finished_at),
        "due": ago(view.due_at) if view.due_at else None,
        "waits for": view.parked_on,
        "asked by": view.requested_by,
        "after run": view.cause,
        "result": json.dumps(view.result, ensure_ascii=False) if view.result is not None else None,
        "error": f"{view.error_type}: {view.error}" if view.error else None,
    }
    lines = [f"{name:<10}{value}" for name, value in facts.items() if value]
    out.print(Panel(Text("\n".join(lines)), title=head, title_align="left", border_style="dim"))
    for attempt in view.attempts:
        _print_attempt(attempt)


def _print_attempt(attempt: AttemptView) -> None:
    took = between(attempt.started_at, attempt.ended_at)
    out.print(
        Text.assemble(
            (f"attempt {attempt.number}", "bold"), f"  {attempt.outcome or 'running'}  {took}  on {attempt.worker}"
        )
    )
    for line in attempt.logs or []:
        out.print(Text(f"  {str(line.get('at', ''))[11:23]} {line['level']:<7} {line['message']}"))
    if attempt.traceback:
        out.print(Text(attempt.traceback.rstrip(), style="red"))


@app.command("cancel")
@command
async def cancel_run(run: RunId, as_json: AsJson = False) -> None:
    """Cancel a run that has not ended. Exit code 4 when it has."""
    async with ledger():
        view = await runs.cancel_run(run)
    if as_json:
        print_json(view)
        return
    word = "cancelled" if view.state == State.CANCELLED else "is being cancelled: its worker stops it"
    out.print(f"{view.id} {word}")


@app.command("requeue")
@command
async def requeue_run(
    run: RunId,
    args: Annotated[str | None, typer.Option(help="New arguments as a JSON object.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run it once more, as it was or with edited arguments. Exit code 4 while it is active."""
    edited = json_object(args, "--args") if args else None
    async with ledger():
        view = await runs.requeue_run(run, edited)
    print_json(view) if as_json else out.print(f"{view.id} {view.state}")


def json_object(text: str, field: str) -> dict[str, Any]:
    """A JSON object from the command line. Raises InvalidInput."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{field} is not JSON: {error}", field=field) from None
    if not isinstance(value, dict):
        raise InvalidInput(f'{field} must be a JSON object, such as {{"version_id": "…"}}', field=field)
    return value
