"""What nobody needs to read: values under names that sound like secrets are hidden, and survive being edited around."""

import re
from typing import Any

HIDDEN = "•••"
_SECRET = re.compile(
    r"pass(word|phrase|wd)?$|secret|token|api[-_]?key|authori[sz]ation|cookie|credential|private[-_]?key|jwt|dpop", re.I
)


def redacted(value: Any) -> Any:
    """The same JSON with secrets hidden."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if _SECRET.search(name) and each not in (None, "") else redacted(each)
            for name, each in value.items()
        }
    return [redacted(each) for each in value] if isinstance(value, list) else value


def restored(edited: Any, original: Any) -> Any:
    """What was edited, with every value that is still hidden as it was."""
    if isinstance(edited, dict) and isinstance(original, dict):
        return {
            name: original[name] if each == HIDDEN and name in original else restored(each, original.get(name))
            for name, each in edited.items()
        }
    if isinstance(edited, list) and isinstance(original, list) and len(edited) == len(original):
        return [restored(each, before) for each, before in zip(edited, original, strict=True)]
    return edited
