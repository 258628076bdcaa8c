"""Backline: the backend of an independent audio platform, and the crew behind it."""
