"""The API's server, under the name that commands have for it."""

from backend.api.serving import serving

__all__ = ["serving"]
