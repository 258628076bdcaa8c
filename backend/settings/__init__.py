"""Every setting, in one section per room. Read once, from the environment and from `.env`."""

import re
from functools import cache
from typing import TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings
from pydantic_settings.exceptions import SettingsError

from backend.errors import Misconfigured
from backend.settings.accounts import AccountSettings
from backend.settings.alerts import AlertSettings
from backend.settings.database import DatabaseSettings
from backend.settings.federation import FederationSettings
from backend.settings.http import HttpSettings
from backend.settings.media import MediaSettings
from backend.settings.network import NetworkSettings
from backend.settings.runtime import DeadLetterSettings, DocketSettings, RunnerSettings
from backend.settings.services import ServiceSettings
from backend.settings.storage import StorageSettings
from backend.settings.traces import TraceSettings

S = TypeVar("S", bound=BaseSettings)

SECTIONS: tuple[type[BaseSettings], ...] = (
    DatabaseSettings,
    StorageSettings,
    DocketSettings,
    RunnerSettings,
    DeadLetterSettings,
    MediaSettings,
    AccountSettings,
    NetworkSettings,
    FederationSettings,
    ServiceSettings,
    AlertSettings,
    HttpSettings,
    TraceSettings,
)


class Settings:
    """All sections, each read from the environment when this object is made.

    Raises Misconfigured, naming every variable that cannot be read.
    """

    def __init__(self) -> None:
        problems: list[str] = []
        self.database = _read(DatabaseSettings, problems)
        self.storage = _read(StorageSettings, problems)
        self.docket = _read(DocketSettings, problems)
        self.runner = _read(RunnerSettings, problems)
        self.dead_letters = _read(DeadLetterSettings, problems)
        self.media = _read(MediaSettings, problems)
        self.accounts = _read(AccountSettings, problems)
        self.network = _read(NetworkSettings, problems)
        self.federation = _read(FederationSettings, problems)
        self.services = _read(ServiceSettings, problems)
        self.alerts = _read(AlertSettings, problems)
        self.http = _read(HttpSettings, problems)
        self.traces = _read(TraceSettings, problems)
        if problems:
            raise Misconfigured(f"cannot read the settings: {'; '.join(problems)}")

    @property
    def sections(self) -> tuple[BaseSettings, ...]:
        """Each of them."""
        return tuple(value for value in vars(self).values() if isinstance(value, BaseSettings))


def _read(section: type[S], problems: list[str]) -> S:
    try:
        return section()
    except ValidationError as error:
        for item in error.errors():
            name, *inside = map(str, item["loc"] or (section.__name__,))
            got = f" (got {item['input']!r})" if _may_be_shown(section, name) else ""
            where = ".".join([name.upper(), *inside])
            problems.append(f"{where}: {item['msg'].removeprefix('Value error, ')}{got}")
    except SettingsError as error:
        # A value that should be JSON and is not. The field stands in the message only.
        name = re.findall(r'field "(\w+)"', str(error))
        problems.append(f"{(name or ['?'])[0].upper()}: is not valid JSON: {error.__cause__}")
    return section.model_construct()


def _may_be_shown(section: type[BaseSettings], name: str) -> bool:
    field = section.model_fields.get(name)
    return field is not None and SecretStr not in (field.annotation, *get_args(field.annotation))


@cache
def get_settings() -> Settings:
    """The settings of this process. `get_settings.cache_clear()` reads them anew."""
    return Settings()
