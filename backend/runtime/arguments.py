"""A task's arguments: checked against its signature when a run is enqueued, and again when it starts."""

import inspect
import string
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic_core import PydanticSerializationError

from backend.errors import InvalidArguments, InvalidInput
from backend.runtime.storable import json_text

SIZE_LIMIT = 256 * 1024
CONFIG = ConfigDict(
    extra="forbid",
    validate_default=True,
    allow_inf_nan=False,
    ser_json_inf_nan="constants",  # what a parameter without a type lets through must not silently become null
    arbitrary_types_allowed=False,
)


class Arguments:
    """The parameters of one function. Raises InvalidInput when they cannot be carried as JSON."""

    def __init__(self, function: Callable[..., Awaitable[Any]]) -> None:
        self.name = function.__name__
        try:
            self.signature = inspect.signature(function, eval_str=True)
        except NameError as error:
            raise InvalidInput(f"task {self.name}: an annotation cannot be read: {error}", field=self.name) from None
        self.all_optional = all(p.default is not p.empty for p in self.signature.parameters.values())
        fields: dict[str, Any] = {}
        for place, parameter in enumerate(self.signature.parameters.values()):
            self._check_kind(parameter)
            annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[_field(place)] = (annotation, Field(default, alias=parameter.name))
        self._names = {_field(place): name for place, name in enumerate(self.signature.parameters)}
        try:
            self.model: type[BaseModel] = create_model(f"{self.name}_arguments", __config__=CONFIG, **fields)
        except PydanticUserError as error:
            raise InvalidInput(f"task {self.name}: {error.message}", field=self.name) from None

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's arguments as a JSON object by parameter name. Raises InvalidArguments, naming the parameter."""
        try:
            given = self.signature.bind_partial(*args).arguments
        except TypeError as error:
            raise InvalidArguments(f"{self.name}{self.signature}: {error}", field="args") from None
        for name in given.keys() & kwargs.keys():
            raise InvalidArguments(f"{self.name}{self.signature}: {name} is given twice", field=name)
        return self.normalise({**given, **kwargs})

    def normalise(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that arrive by name, checked, with defaults filled in. Raises InvalidArguments."""
        try:
            data: dict[str, Any] = self._validate(args).model_dump(mode="json", by_alias=True)
            json_text(data, SIZE_LIMIT)
        except (PydanticSerializationError, ValueError) as error:
            raise InvalidArguments(f"{self.name}: arguments must be JSON: {error}", field="args") from None
        self._validate(data)  # what JSON cannot give back, such as a dict keyed by tuples, fails now and not later
        return data

    def load(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Stored arguments as the values the function takes. Raises InvalidArguments."""
        model = self._validate(args)
        return {name: getattr(model, field) for field, name in self._names.items()}

    def check_template(self, template: str, where: str) -> None:
        """Raise InvalidInput when a key template names something that is no parameter."""
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        except ValueError as error:
            raise InvalidInput(f"{where}: key {template!r}: {error}", field="key") from None
        for name in names:
            if name not in self.signature.parameters:
                raise InvalidInput(f"{where}: key {template!r} names {name!r}, which is no parameter", field="key")

    def _check_kind(self, parameter: inspect.Parameter) -> None:
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

    def _validate(self, args: Mapping[str, Any]) -> BaseModel:
        try:
            return self.model.model_validate(dict(args))
        except ValidationError as error:
            found = [(*map(str, item["loc"]), item["msg"]) for item in error.errors()]
            # A default that is wrong is reported by its field.
            named = [(self._names.get(place, place), *rest) for place, *rest in found]
            problems = "; ".join(": ".join((".".join(places), message)) for *places, message in named)
            raise InvalidArguments(f"{self.name}{self.signature}: {problems}", field=named[0][0]) from None


def _field(place: int) -> str:
    # The names of pydantic's own methods are fine for a parameter, but not for a field.
    return f"parameter_{place}"
