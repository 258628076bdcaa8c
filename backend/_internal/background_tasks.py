"""Every task and every `schedule_*` helper, importable from here: `from ... import schedule_loudness`.

Nothing is listed. The rooms under `domains/` and `flows/` are walked, and what they declare is offered by its name.
A plain async function may also be defined here and registered in `background.py`.
"""

import sys
from types import ModuleType

from backend.runtime.enqueue import Scheduler
from backend.runtime.registry import discover, registry

ROOMS = ("backend.domains", "backend.flows", "backend.runtime.upkeep")


def find_rooms() -> None:
    """Import every room, and offer its tasks and helpers as attributes of this module."""
    discover(*ROOMS)
    functions = {spec.function for spec in registry.values()}
    for name, module in list(sys.modules.items()):
        if name.startswith(ROOMS) and isinstance(module, ModuleType):
            for attribute, value in list(vars(module).items()):
                offered = isinstance(value, Scheduler) or (callable(value) and value in functions)
                if offered:
                    globals()[attribute] = value


find_rooms()
