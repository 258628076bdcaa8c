"""Likes."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Likes."""
    op.create_table(
        "likes",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("did", "track_id", name=op.f("pk_likes")),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_likes_track_id"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_likes_track_id"), "likes", ["track_id"])


def downgrade() -> None:
    """Everything but likes."""
    op.drop_table("likes")
