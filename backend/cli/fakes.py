"""`backline fakes`: doubles of the services outside, on this machine, so that the whole crew runs without keys."""

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from backend.adapters import doubles
from backend.api.serving import serving
from backend.cli.output import err, out
from backend.cli.session import command


@command
async def fakes(
    port: Annotated[int, typer.Option(help="The first of four ports; 0 takes free ones.", min=0, max=65000)] = 8400,
) -> None:
    """Start doubles of AuDD, Replicate, a labeler and a webhook, and print the settings that lead to them."""
    async with AsyncExitStack() as stack:
        urls = []
        for index, make in enumerate((doubles.audd, doubles.replicate, doubles.labeler, doubles.webhook)):
            urls.append(await stack.enter_async_context(serving(make(), port=port + index if port else 0)))
        for name, value in settings_for(*urls).items():
            out.print(f"{name}={value}", highlight=False, soft_wrap=True)
        err.print("These answer until Ctrl-C. Put the lines above into `.env`, then start Backline.")
        await asyncio.Event().wait()


def settings_for(audd: str, replicate: str, labeler: str, webhook: str) -> dict[str, str]:
    """The settings that lead to doubles at these addresses."""
    return {
        "AUDD_URL": f"{audd}/",
        "AUDD_TOKEN": doubles.TOKEN,
        "REPLICATE_URL": f"{replicate}/v1",
        "REPLICATE_TOKEN": doubles.TOKEN,
        "LABELER_URL": labeler,
        "NOTICE_URL": f"{webhook}/notices",
        "OUTBOUND_PRIVATE": "1",
    }
