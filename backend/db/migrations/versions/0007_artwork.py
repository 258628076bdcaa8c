"""Tracks have a picture and a thumbnail."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ASSETS = ("artwork_asset_id", "artwork_thumb_asset_id")


def upgrade() -> None:
    """Where the artwork lies, where it comes from, and why a file's own cover is not used."""
    with op.batch_alter_table("tracks") as table:
        for column in ASSETS:
            table.add_column(sa.Column(column, sa.String(length=36), nullable=True))
            table.create_foreign_key(op.f(f"fk_tracks_{column}"), "assets", [column], ["id"])
            table.create_index(op.f(f"ix_tracks_{column}"), [column])
        table.add_column(sa.Column("artwork_source", sa.String(length=20), nullable=True))
        table.add_column(sa.Column("artwork_note", sa.String(length=300), nullable=True))


def downgrade() -> None:
    """Tracks without pictures."""
    with op.batch_alter_table("tracks") as table:
        for column in ASSETS:
            table.drop_index(op.f(f"ix_tracks_{column}"))
            table.drop_constraint(op.f(f"fk_tracks_{column}"), type_="foreignkey")
            table.drop_column(column)
        table.drop_column("artwork_source")
        table.drop_column("artwork_note")
