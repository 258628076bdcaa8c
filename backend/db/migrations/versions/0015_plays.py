"""Plays, and who has theirs written down."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Plays are counted from now on."""
    op.add_column("tracks", sa.Column("play_count", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("preferences", sa.Column("scrobble", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "plays",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=True),
        sa.Column("listener", sa.String(length=255), nullable=False),
        sa.Column("played_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plays")),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_plays_track_id"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_plays_track_id_listener_played_at"), "plays", ["track_id", "listener", "played_at"])
    op.create_index(op.f("ix_plays_did_played_at"), "plays", ["did", "played_at"])


def downgrade() -> None:
    """Everything but plays."""
    op.drop_table("plays")
    with op.batch_alter_table("preferences", schema=None) as batch_op:
        batch_op.drop_column("scrobble")
    with op.batch_alter_table("tracks", schema=None) as batch_op:
        batch_op.drop_column("play_count")
