"""Every setting, in one section per room. Read once, from the environment and from `.env`."""

from functools import cache
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from backend.errors import Misconfigured
from backend.settings.database import DatabaseSettings
from backend.settings.http import HttpSettings
from backend.settings.media import MediaSettings
from backend.settings.runtime import DeadLetterSettings, DocketSettings, RunnerSettings
from backend.settings.storage import StorageSettings

S = TypeVar("S", bound=BaseSettings)

SECTIONS: tuple[type[BaseSettings], ...] = (
    DatabaseSettings,
    StorageSettings,
    DocketSettings,
    RunnerSettings,
    DeadLetterSettings,
    MediaSettings,
    HttpSettings,
)


class Settings:
    """All sections, each read from the environment when this object is made.

    Raises Misconfigured, naming every variable that cannot be read.
    """

    def __init__(self) -> None:
        self.database = _read(DatabaseSettings)
        self.storage = _read(StorageSettings)
        self.docket = _read(DocketSettings)
        self.runner = _read(RunnerSettings)
        self.dead_letters = _read(DeadLetterSettings)
        self.media = _read(MediaSettings)
        self.http = _read(HttpSettings)


def _read(section: type[S]) -> S:
    try:
        return section()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']} (got {item['input']!r})"
            if "SECRET" not in str(item["loc"]).upper()
            else f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise Misconfigured(f"cannot read the settings: {problems}") from None


@cache
def get_settings() -> Settings:
    """The settings of this process. `get_settings.cache_clear()` reads them anew."""
    return Settings()
