"""JSON that was typed by hand."""

import json
from typing import Any

from backend.errors import InvalidInput


def json_object(text: str) -> dict[str, Any]:
    """Arguments as names and values. Raises InvalidInput, saying where the text is wrong."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"the arguments are no JSON: {error}", field="args") from None
    if not isinstance(value, dict):
        raise InvalidInput("the arguments are a JSON object: names and values within {}", field="args")
    return value
