"""The models, one file per domain. Importing this package makes every table known."""

from backend.db.models import federation, media, network, runs

__all__ = ["federation", "media", "network", "runs"]
