"""The models, one file per domain. Importing this package makes every table known."""

from backend.db.models import alerts, federation, media, network, runs

__all__ = ["alerts", "federation", "media", "network", "runs"]
