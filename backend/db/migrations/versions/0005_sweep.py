"""Objects that nothing refers to, and indexes over what refers to an asset."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = (
    ("track_versions", "original_asset_id"),
    ("transcodes", "playlist_asset_id"),
    ("waveforms", "json_asset_id"),
    ("waveforms", "png_asset_id"),
)


def upgrade() -> None:
    """Without the indexes, asking for references and removing an asset would read whole tables."""
    op.create_table(
        "unreferenced_objects",
        sa.Column("bucket", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "key", name=op.f("pk_unreferenced_objects")),
    )
    op.create_index(op.f("ix_unreferenced_objects_since"), "unreferenced_objects", ["since"])
    for table, column in COLUMNS:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """No sweep."""
    op.drop_table("unreferenced_objects")
    for table, column in COLUMNS:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
