"""Alembic's migrations: `backline migrate` brings an empty or older database to the models."""
