"""`backline alerts`: what is wrong now, and whether notices arrive."""

import typer

from backend.adapters.notice import Notice, channels, deliver
from backend.cli.output import ago, err, out, print_json, print_table
from backend.cli.session import AsJson, ExitCode, command, ledger
from backend.db.ids import new_id
from backend.domains.alerts.watch import open_troubles
from backend.errors import BacklineError, Misconfigured

app = typer.Typer(help="List open troubles; try the channels of notices.", no_args_is_help=True)


@app.command("list")
@command
async def list_troubles(as_json: AsJson = False) -> None:
    """What the last watch found, the oldest first."""
    async with ledger():
        found = await open_troubles()
    if as_json:
        print_json(found)
        return
    rows = [(each.subject, ago(each.opened_at), ago(each.told_at), each.text) for each in found]
    print_table(("SUBJECT", "SINCE", "TOLD", "WHAT"), rows, empty="Nothing needs you.")


@app.command("try")
@command
async def try_channels() -> None:
    """Send a notice through every channel of the settings. Exits with 1 when one does not take it."""
    chosen, failed = channels(), False
    if not chosen:
        raise Misconfigured("no channel is set: set NOTICE_URL, NOTICE_MAIL or NOTICE_DID", field="NOTICE_URL")
    text = "Somebody ran `backline alerts try`. Nothing is wrong."
    notice = Notice(f"trial:{new_id()}", "trial", "Backline, a trial notice", text)
    for channel in chosen:
        try:
            await deliver(channel, notice)
        except BacklineError as error:
            failed = True
            err.print(f"{channel}: {error.detail}", style="red", markup=False, highlight=False, soft_wrap=True)
        else:
            out.print(f"{channel}: taken", highlight=False)
    if failed:
        raise typer.Exit(ExitCode.FAILED)
