"""The models, one file per domain. Importing this package makes every table known."""

from backend.db.models import alerts, audit, federation, media, network, runs

__all__ = ["alerts", "audit", "federation", "media", "network", "runs"]
