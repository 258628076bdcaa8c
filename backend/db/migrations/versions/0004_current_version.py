"""Tracks say which version they show, and which one takes its place when it is ready."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """So far every track showed its newest version: its id is the greatest."""
    with op.batch_alter_table("tracks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("current_version_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("next_version_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_tracks_next_version_id"), ["next_version_id"], unique=False)
    newest = "SELECT max(track_versions.id) FROM track_versions WHERE track_versions.track_id = tracks.id"
    op.execute(sa.text(f"UPDATE tracks SET current_version_id = ({newest})"))


def downgrade() -> None:
    """The newest version is shown again."""
    with op.batch_alter_table("tracks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tracks_next_version_id"))
        batch_op.drop_column("next_version_id")
        batch_op.drop_column("current_version_id")
