"""Comments, and what accounts chose."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Comments and preferences."""
    op.create_table(
        "comments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("hidden_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_comments_track_id"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_comments_track_id_id"), "comments", ["track_id", "id"])
    op.create_table(
        "preferences",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("allow_comments", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_preferences")),
    )


def downgrade() -> None:
    """Everything but comments and preferences. The records stay where they are."""
    op.drop_table("preferences")
    op.drop_table("comments")
