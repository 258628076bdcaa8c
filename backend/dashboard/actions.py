"""What people do at the desk: each action by its name, and one way through which all of them go."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nicegui import Client, ui
from sqlalchemy.exc import SQLAlchemyError

from backend.dashboard.visitor import Visitor
from backend.errors import BacklineError
from backend.runtime.audit import acting
from backend.runtime.context import requester

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One wish. `arg` is what it is about, `value` what was typed, `ids` what was selected."""

    act: str
    arg: str
    value: str | None
    ids: list[str]
    visitor: Visitor
    client: Client

    @classmethod
    def of(cls, said: dict[str, Any], visitor: Visitor, client: Client) -> "Call":
        """As the browser sent it."""
        value = said.get("value")
        ids = [str(each) for each in said.get("ids") or []][:1000]
        return cls(
            str(said.get("act")),
            str(said.get("arg") or ""),
            None if value is None else str(value),
            ids,
            visitor,
            client,
        )

    def ask(self, text: str, act: str, ok: str, arg: str | None = None) -> None:
        """Ask the visitor first: when they agree, `act` is called with the same `ids`."""
        question = {"text": text, "act": act, "ok": ok, "arg": self.arg if arg is None else arg, "ids": self.ids}
        self.client.run_javascript(f"desk.ask({json.dumps(question)})")

    def go(self, path: str) -> None:
        """Send the visitor to another page: its path under /desk."""
        self.client.open(path)

    def say(self, text: str, kind: str = "note") -> None:
        """A short message at the edge of the page: a note, or a refusal."""
        with self.client:
            ui.notify(text, color=kind, text_color=kind, position="bottom", timeout=6000, multi_line=True)


Action = Callable[[Call], Awaitable[str | None]]
_actions: dict[str, Action] = {}


def action(name: str) -> Callable[[Action], Action]:
    """Declare an action. It returns what to say when it is done."""

    def declare(function: Action) -> Action:
        _actions[name] = function
        return function

    return declare


async def perform(call: Call) -> bool:
    """Do what was asked, if the visitor may, and tell them what came of it. Returns whether anything may have changed."""
    try:
        await call.visitor.must_act()
        wanted = _actions.get(call.act)
        if wanted is None:
            call.say(f"The desk knows no action {call.act!r}: reload the page.", "refusal")
            return False
        requester.set(f"desk {call.act} {call.visitor.name}")
        with acting(call.visitor.name, "desk"):
            said = await wanted(call)
        if said:
            call.say(said)
    except BacklineError as error:
        call.say(f"Refused: {error.detail}", "refusal")
    except (SQLAlchemyError, OSError) as error:
        logger.error("%s failed: %s", call.act, type(error).__name__)
        call.say("The database does not answer. Nothing was changed; try again.", "refusal")
    return True
