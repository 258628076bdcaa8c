"""Sound that artists want on their own servers."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Json, Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Saved audio."""
    op.create_table(
        "saved_audio",
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=True),
        sa.Column("what", sa.String(length=20), nullable=True),
        sa.Column("blob", Json, nullable=True),
        sa.Column("saved_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("track_id", name=op.f("pk_saved_audio")),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_saved_audio_track_id"), ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Nothing is remembered of what was saved. It stays where it is until a record is written anew."""
    op.drop_table("saved_audio")
