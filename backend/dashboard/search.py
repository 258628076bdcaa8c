"""The search field: qualifiers such as `task:` and `args.x:`, and anything else is looked for in errors."""

import re

from backend.db.models.runs import State
from backend.errors import InvalidInput
from backend.runtime.bulk import search_bound
from backend.runtime.runs import RunFilter

# Text, arguments, traces and requests have no index: they are looked for among the newest runs.
NEWEST = 100_000
_WORD = re.compile(
    r'(?P<name>task|queue|state|key|id|group|trace|request|args\.[\w.]+):(?:"(?P<quoted>[^"]*)"|(?P<plain>\S*))|(?P<text>\S+)'
)


async def to_filter(query: str) -> RunFilter:
    """What was typed, as the ledger takes it. Raises InvalidInput for a state that is none."""
    found: dict[str, str] = {}
    args: dict[str, str] = {}
    words = []
    for match in _WORD.finditer(query[:1000].replace("\x00", "")):
        name, value = match["name"], match["quoted"] if match["quoted"] is not None else match["plain"]
        if name is None:
            words.append(match["text"])
        elif value and name.startswith("args."):
            args[name.removeprefix("args.")] = value
        elif value:
            found[name] = value
    text = " ".join(words) or None
    unindexed = text or args or "trace" in found or "request" in found
    return RunFilter(
        state=_states(found["state"]) if "state" in found else None,
        task=found.get("task"),
        queue=found.get("queue"),
        key=found.get("key"),
        error_group=found.get("group"),
        ids=[found["id"]] if "id" in found else None,
        args=args or None,
        text=text,
        trace=found.get("trace"),
        request=found.get("request"),
        after=await search_bound(NEWEST) if unindexed else None,
    )


def _states(value: str) -> list[str]:
    states = value.lower().split(",")
    if unknown := sorted(set(states) - set(State)):
        raise InvalidInput(f"there is no state {unknown[0]!r}; states are {', '.join(State)}", field="state")
    return states
