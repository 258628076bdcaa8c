"""Words of a command line become the arguments of a task: `name=value`, plain values in order, or one JSON object."""

import json
import re
from collections.abc import Sequence
from inspect import Parameter
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backend.errors import InvalidArguments
from backend.runtime.arguments import Arguments

_NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def parse_arguments(task: Arguments, words: Sequence[str]) -> dict[str, Any]:
    """The arguments by name, checked against the task's signature. Raises InvalidArguments, naming the parameter."""
    names = list(task.signature.parameters)
    given: dict[str, Any] = {}
    for word in words:
        if word.lstrip().startswith("{") and len(words) == 1:
            return task.normalise(_json_object(word))
        match = _NAMED.fullmatch(word)
        named = match is not None and match[1] in names
        free = next((name for name in names if name not in given), None)
        name = match[1] if match and named else free
        if name is None:
            raise InvalidArguments(
                f"{task.name}{task.signature} takes {len(names)} argument(s), not {word!r} too", field="ARGS"
            )
        if name in given:
            raise InvalidArguments(f"{name} is given twice", field=name)
        given[name] = _value(task.signature.parameters[name].annotation, match[2] if match and named else word)
    return task.normalise(given)


def _value(annotation: Any, word: str) -> object:
    """The word itself where the parameter takes it (`str`, `int`, `bool`), else what it says as JSON."""
    if annotation not in (Any, Parameter.empty) and _takes(annotation, word):
        return word
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def _takes(annotation: Any, word: str) -> bool:
    try:
        TypeAdapter(annotation).validate_python(word)
    except ValidationError:
        return False
    return True


def _json_object(word: str) -> dict[str, Any]:
    try:
        return dict(json.loads(word))
    except (ValueError, TypeError) as error:
        raise InvalidArguments(f"the arguments are no JSON object: {error}", field="ARGS") from None
