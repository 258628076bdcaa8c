"""What handlers share: the settings this app was made with, and the event that says it is closing."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from backend.settings import Settings


def _settings(request: Request) -> Settings:
    return request.app.state.settings


def _closing(request: Request) -> asyncio.Event:
    return request.app.state.closing


AppSettings = Annotated[Settings, Depends(_settings)]
Closing = Annotated[asyncio.Event, Depends(_closing)]
