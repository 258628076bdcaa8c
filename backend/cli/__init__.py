"""The terminal: `backline`. Each group of commands has a room of its own beside this file.

Exit codes: 0 done · 1 failed · 2 the command line or an input is wrong · 3 not found · 4 conflict · 130 interrupted.
Results go to standard output, everything else to standard error; `--json` prints JSON and nothing else.
"""

import typer

from backend.cli import alerts, dead, queues, runs, schedules, sign_ins
from backend.cli.demo import demo
from backend.cli.doctor import doctor
from backend.cli.fakes import fakes
from backend.cli.server import migrate, serve, worker
from backend.cli.spans import spans
from backend.cli.tasks import list_tasks, run_task

app = typer.Typer(
    name="backline",
    help="The backend of an independent audio platform, and the crew behind it.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found, 4 conflict, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo)
app.command("serve")(serve)
app.command("worker")(worker)
app.command("run", no_args_is_help=True)(run_task)
app.command("tasks")(list_tasks)
app.add_typer(runs.app, name="runs")
app.add_typer(dead.app, name="dead")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(sign_ins.app, name="sign-ins")
app.command("spans")(spans)
app.add_typer(alerts.app, name="alerts")
app.command("migrate")(migrate)
app.command("doctor")(doctor)
app.command("fakes")(fakes)


def main() -> None:
    """The console script."""
    app()
