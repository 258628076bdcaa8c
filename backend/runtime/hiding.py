"""What no log and no kept error may hold: credentials, by their form, and the values of the settings that are secret, by themselves."""

import re
from collections.abc import Iterable
from typing import get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings

HIDDEN = "•••"
SHORTEST = 8  # a shorter value would also hide words that are nothing secret
_NAMES = r"(?:pass(?:word|phrase|wd)|secret|token|api[-_]?key|signature|(?:access|refresh)_?jwt|cookie|code_verifier)"
_FORMS = (
    (re.compile(r"\b(Bearer|DPoP|Basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.I), rf"\1\2{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), HIDDEN),  # a JWT
    (re.compile(r"(\w://)[^\s/@:]*:[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(rf"({_NAMES}[\"']?\s*=\s*[\"']?)[^\s\"'&,;)]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(rf"({_NAMES}[\"']\s*:\s*[\"'])[^\"']+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"(?<![\w-])[a-z2-7]{4}(?:-[a-z2-7]{4}){3}(?![\w-])"), HIDDEN),  # an app password of the AT Protocol
)
_known: set[str] = set()


def hide_values_of(sections: Iterable[BaseSettings]) -> None:
    """From now on the secret values of these settings are hidden wherever they stand."""
    for section in sections:
        for name, field in type(section).model_fields.items():
            value = getattr(section, name, None)
            if isinstance(value, SecretStr) and SecretStr in (field.annotation, *get_args(field.annotation)):
                parts = value.get_secret_value().split(",")
                _known.update(part.strip() for part in parts if len(part.strip()) >= SHORTEST)


def hidden(text: str) -> str:
    """The text without what it should not hold. What is left still says what happened."""
    for value in _known:
        if value in text:
            text = text.replace(value, HIDDEN)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
