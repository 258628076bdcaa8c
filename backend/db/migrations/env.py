"""Alembic's entry: runs the migrations on the connection it was given."""

from alembic import context
from sqlalchemy import JSON
from sqlalchemy.engine import Connection

from backend.db import models  # noqa: F401  makes every table known
from backend.db.base import Base, Moment


def _render(kind: str, thing: object, _: object) -> str | bool:
    if kind == "type" and isinstance(thing, Moment):
        return "Moment()"
    if kind == "type" and isinstance(thing, JSON):
        return "Json"
    return False


def run(connection: Connection) -> None:
    """Bring `connection` to the revision that was asked for, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
