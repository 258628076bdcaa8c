"""The HTTP process: `uvicorn backend.main:app`. `backline serve` runs the same application."""

import sys

from backend.api.app import traced_app
from backend.dashboard.mount import mount_desk
from backend.errors import Misconfigured
from backend.settings import get_settings

try:
    app = mount_desk(traced_app(get_settings()), get_settings())
except Misconfigured as error:
    # Anything else would reach the reader as a traceback of the server that imports this.
    sys.exit(f"error: {error.detail}")
