"""A task's arguments: checked against its signature when a run is enqueued, and again when it starts."""

import inspect
import json
import string
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, PydanticUserError, ValidationError, create_model
from pydantic_core import PydanticSerializationError

from backend.errors import InvalidArguments, InvalidInput

SIZE_LIMIT = 256 * 1024


class Arguments:
    """The parameters of one function. Raises InvalidInput when they cannot be carried as JSON."""

    def __init__(self, function: Callable[..., Awaitable[Any]]) -> None:
        self.name = function.__name__
        self.signature = inspect.signature(function, eval_str=True)
        fields: dict[str, Any] = {}
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise InvalidInput(
                    f"task {self.name}: *args, **kwargs and positional-only cannot be stored", field=parameter.name
                )
            if type(parameter.default).__module__.startswith("docket."):
                raise InvalidInput(
                    f"task {self.name}: docket's {type(parameter.default).__name__} has no meaning here; "
                    "say it with @task(retry=, timeout=, every=, cron=, limit=, rate=)",
                    field=parameter.name,
                )
            annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
            fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
        try:
            self.model: type[BaseModel] = create_model(
                f"{self.name}_arguments", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields
            )
        except PydanticUserError as error:
            raise InvalidInput(f"task {self.name}: {error.message}", field=self.name) from None
        self.all_optional = all(p.default is not p.empty for p in self.signature.parameters.values())

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's arguments as a JSON object by parameter name. Raises InvalidArguments, naming the parameter."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(f"{self.name}{self.signature}: {error}", field="args") from None
        return self.dump(self._validate(bound.arguments))

    def normalise(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that arrive by name, checked, with defaults filled in. Raises InvalidArguments."""
        return self.dump(self._validate(args))

    def load(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Stored arguments as the values the function takes. Raises InvalidArguments."""
        model = self._validate(args)
        return {name: getattr(model, name) for name in self.signature.parameters}

    def dump(self, model: BaseModel) -> dict[str, Any]:
        """Validated arguments as JSON that both databases and Redis can hold."""
        try:
            data: dict[str, Any] = model.model_dump(mode="json")
            text = json.dumps(data, allow_nan=False)
        except (PydanticSerializationError, ValueError, TypeError) as error:
            raise InvalidArguments(f"{self.name}: arguments must be JSON: {error}", field="args") from None
        if "\\u0000" in text:
            raise InvalidArguments(
                f"{self.name}: a string holds a NUL character, which no database stores", field="args"
            )
        if len(text) > SIZE_LIMIT:
            raise InvalidArguments(
                f"{self.name}: {len(text):,} bytes of arguments; the limit is {SIZE_LIMIT:,}: store the data, pass its key",
                field="args",
            )
        return data

    def check_template(self, template: str, where: str) -> None:
        """Raise InvalidInput when a key template names something that is no parameter."""
        for _, name, _, _ in string.Formatter().parse(template):
            if name is not None and name not in self.signature.parameters:
                raise InvalidInput(f"{where}: key {template!r} names {name!r}, which is no parameter", field="key")

    def _validate(self, args: Mapping[str, Any]) -> BaseModel:
        try:
            return self.model.model_validate(dict(args))
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
            first = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else "args"
            raise InvalidArguments(f"{self.name}{self.signature}: {'; '.join(problems)}", field=first) from None
