"""Checks a value against a lexicon, and says exactly what is wrong: https://atproto.com/specs/lexicon."""

from collections.abc import Mapping
from typing import Any

import regex

from backend.domains.federation.lexicon_formats import FORMATS
from backend.errors import InvalidInput, Misconfigured

Schema = Mapping[str, Any]
DEPTH = 32


class Checker:
    """Checks values against these lexicons, each under its NSID."""

    def __init__(self, documents: Mapping[str, Schema]) -> None:
        self._documents = documents

    def check(self, nsid: str, value: object) -> None:
        """Raise InvalidInput, with the path of what is wrong, unless `value` is a record of this type."""
        document = self._documents.get(nsid)
        if document is None:
            raise InvalidInput(f"there is no lexicon {nsid}", field="$type")
        if not isinstance(value, dict) or value.get("$type") != nsid:
            raise InvalidInput(f"a record of {nsid} says so in its $type", field="$type")
        self._object(nsid, document["defs"]["main"]["record"], value, "", 0)

    def _value(self, nsid: str, schema: Schema, value: object, path: str, depth: int) -> None:
        if depth > DEPTH:
            raise _wrong(path, "is nested too deeply")
        match schema["type"]:
            case "object":
                self._object(nsid, schema, value, path, depth)
            case "array":
                self._array(nsid, schema, value, path, depth)
            case "ref":
                target, inner = self._resolved(nsid, schema["ref"])
                self._value(target, inner, value, path, depth + 1)
            case "string":
                _string(schema, value, path)
            case "integer":
                _integer(schema, value, path)
            case "boolean":
                if not isinstance(value, bool):
                    raise _wrong(path, "is true or false")
            case "blob":
                _blob(schema, value, path)
            case "unknown":
                if not isinstance(value, dict):
                    raise _wrong(path, "is an object")
            case kind:
                raise Misconfigured(f"the lexicon {nsid} uses {kind!r}, which is not checked here")

    def _object(self, nsid: str, schema: Schema, value: object, path: str, depth: int) -> None:
        if not isinstance(value, dict):
            raise _wrong(path, "is an object")
        for name in schema.get("required", ()):
            if name not in value:
                raise _wrong(_join(path, name), "is missing")
        for name, inner in schema["properties"].items():
            if name not in value or (value[name] is None and name in schema.get("nullable", ())):
                continue
            self._value(nsid, inner, value[name], _join(path, name), depth + 1)

    def _array(self, nsid: str, schema: Schema, value: object, path: str, depth: int) -> None:
        if not isinstance(value, list):
            raise _wrong(path, "is a list")
        _bounds(path, len(value), schema, "Length", "entries")
        for index, item in enumerate(value):
            self._value(nsid, schema["items"], item, f"{path}.{index}", depth + 1)

    def _resolved(self, nsid: str, ref: str) -> tuple[str, Schema]:
        target, _, name = ref.partition("#")
        target = target or nsid
        try:
            return target, self._documents[target]["defs"][name or "main"]
        except KeyError:
            raise Misconfigured(f"the lexicon {nsid} refers to {ref}, which is not here") from None


def _string(schema: Schema, value: object, path: str) -> None:
    if not isinstance(value, str):
        raise _wrong(path, "is text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _wrong(path, "holds half a character") from None
    _bounds(path, size, schema, "Length", "bytes")
    if "maxGraphemes" in schema or "minGraphemes" in schema:
        _bounds(path, len(regex.findall(r"\X", value)), schema, "Graphemes", "characters")
    if "enum" in schema and value not in schema["enum"]:
        raise _wrong(path, f"is one of {', '.join(schema['enum'])}")
    if "format" in schema and not FORMATS[schema["format"]](value):
        raise _wrong(path, f"is no {schema['format']}")


def _integer(schema: Schema, value: object, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(path, "is a whole number")
    if value < schema.get("minimum", value):
        raise _wrong(path, f"is at least {schema['minimum']:,}")
    if value > schema.get("maximum", value):
        raise _wrong(path, f"is at most {schema['maximum']:,}")


def _blob(schema: Schema, value: object, path: str) -> None:
    if not isinstance(value, dict) or value.get("$type") != "blob":
        raise _wrong(path, "is a blob")
    reference, mime, size = value.get("ref"), value.get("mimeType"), value.get("size")
    link = reference.get("$link") if isinstance(reference, dict) else None
    if not isinstance(link, str) or not FORMATS["cid"](link):
        raise _wrong(f"{path}.ref", "is a link to the blob's bytes")
    if not isinstance(mime, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _wrong(path, "names its mimeType and its size")
    accepted = schema.get("accept", ["*/*"])
    if not any(pattern in ("*/*", mime) or mime.startswith(pattern.removesuffix("*")) for pattern in accepted):
        raise _wrong(f"{path}.mimeType", f"is one of {', '.join(accepted)}")
    if size > schema.get("maxSize", size):
        raise _wrong(f"{path}.size", f"is at most {schema['maxSize']:,} bytes")


def _bounds(path: str, size: int, schema: Schema, what: str, unit: str) -> None:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is not None and size < least:
        raise _wrong(path, f"has at least {least:,} {unit}, not {size:,}")
    if most is not None and size > most:
        raise _wrong(path, f"has at most {most:,} {unit}, not {size:,}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong(path: str, what: str) -> InvalidInput:
    return InvalidInput(f"{path or 'the record'} {what}", field=path or None)
