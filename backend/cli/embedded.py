"""Settings of a whole Backline inside this process: SQLite, local objects and the embedded engine."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.settings import Settings, get_settings


@contextmanager
def embedded_settings(data_dir: Path) -> Iterator[Settings]:
    """Settings that need nothing installed and touch nothing outside `data_dir`, whatever the environment says."""
    ours = {
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite:///{data_dir.absolute() / 'backline.db'}",
        "DATABASE_MIGRATE": "1",
        "DOCKET_URL": f"memory://demo-{secrets.token_hex(4)}",
        "STORAGE_BACKEND": "local",
        "WORKERS_ENABLED": "1",
        "HARMONY_DISABLE_WORKERS": "0",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    get_settings.cache_clear()
    try:
        yield get_settings()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        get_settings.cache_clear()
