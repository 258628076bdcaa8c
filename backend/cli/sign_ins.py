"""`backline sign-ins`: tokens for people and programs, made by whoever has the database."""

from typing import Annotated

import typer

from backend.cli.output import ago, err, out, print_json, print_table
from backend.cli.session import AsJson, command, ledger
from backend.domains.federation import sign_ins
from backend.domains.federation.sign_ins import Role

app = typer.Typer(help="Open, list and close sign-ins.", no_args_is_help=True)

Did = Annotated[str, typer.Argument(metavar="DID", help="The account, for example did:plc:abc.", show_default=False)]


@app.command("open")
@command
async def open_sign_in(
    did: Did,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.ARTIST,
    note: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Sign an account in, and print its token. It is shown this once."""
    async with ledger():
        token = await sign_ins.open_sign_in(did, role, note)
    err.print(f"{did} is signed in as {role}. Send it as `Authorization: Bearer`:")
    out.print(token, soft_wrap=True, highlight=False)


@app.command("list")
@command
async def list_sign_ins(as_json: AsJson = False) -> None:
    """Every sign-in that holds."""
    async with ledger():
        found = await sign_ins.list_sign_ins()
    if as_json:
        print_json(found)
        return
    rows = [(each.id, each.did, each.role, ago(each.created_at), ago(each.expires_at), each.note) for each in found]
    print_table(("ID", "ACCOUNT", "ROLE", "OPENED", "ENDS", "NOTE"), rows, empty="Nobody is signed in.")


@app.command("close")
@command
async def close_sign_ins(did: Did) -> None:
    """End every sign-in of an account."""
    async with ledger():
        done = await sign_ins.close_sign_ins_of(did)
    out.print(f"closed {done} sign-in(s) of {did}", highlight=False)
