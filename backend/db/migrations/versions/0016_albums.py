"""Albums with their tracks in order, and profiles."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Albums and profiles."""
    op.create_table(
        "albums",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("artist_did", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_albums")),
    )
    op.create_index(op.f("ix_albums_artist_did"), "albums", ["artist_did"])
    op.create_table(
        "album_tracks",
        sa.Column("album_id", sa.String(length=36), nullable=False),
        sa.Column("track_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("album_id", "track_id", name=op.f("pk_album_tracks")),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_album_tracks_album_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_album_tracks_track_id"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_album_tracks_track_id"), "album_tracks", ["track_id"])
    op.create_table(
        "profiles",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("bio", sa.Text(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("avatar_url", sa.String(length=2000), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_profiles")),
    )


def downgrade() -> None:
    """Everything but albums and profiles."""
    op.drop_table("profiles")
    op.drop_table("album_tracks")
    op.drop_table("albums")
