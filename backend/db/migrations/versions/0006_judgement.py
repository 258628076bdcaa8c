"""Copyright scans and genres."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Json, Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is known of a version's copyright, and the genres that a model hears in it."""
    op.create_table(
        "copyright_scans",
        sa.Column("track_version_id", sa.String(length=36), nullable=False),
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("finding", sa.String(length=20), nullable=False),
        sa.Column("dominant_artist", sa.Text(), nullable=True),
        sa.Column("dominant_title", sa.Text(), nullable=True),
        sa.Column("dominant_percent", sa.Float(), nullable=True),
        sa.Column("sustained_songs", sa.Integer(), nullable=True),
        sa.Column("own_matches", sa.Integer(), nullable=True),
        sa.Column("matches", Json, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("scanned_at", Moment(), nullable=False),
        sa.Column("notified_at", Moment(), nullable=True),
        sa.Column("resolved_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["track_id"], ["tracks.id"], name=op.f("fk_copyright_scans_track_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["track_version_id"],
            ["track_versions.id"],
            name=op.f("fk_copyright_scans_track_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("track_version_id", name=op.f("pk_copyright_scans")),
    )
    for column in ("track_id", "finding"):
        op.create_index(op.f(f"ix_copyright_scans_{column}"), "copyright_scans", [column])
    op.create_table(
        "genres",
        sa.Column("track_version_id", sa.String(length=36), nullable=False),
        sa.Column("prediction_id", sa.String(length=100), nullable=True),
        sa.Column("genres", Json, nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["track_version_id"], ["track_versions.id"], name=op.f("fk_genres_track_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("track_version_id", name=op.f("pk_genres")),
    )


def downgrade() -> None:
    """Nobody is judged."""
    op.drop_table("genres")
    op.drop_table("copyright_scans")
