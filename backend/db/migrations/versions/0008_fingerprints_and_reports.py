"""Fingerprints, the terms they are found by, and reports."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What versions sound like, and what somebody should look at."""
    op.create_table(
        "audio_fingerprints",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("track_version_id", sa.String(length=36), nullable=False),
        sa.Column("algorithm", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["track_version_id"],
            ["track_versions.id"],
            name=op.f("fk_audio_fingerprints_track_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audio_fingerprints")),
        sa.UniqueConstraint("track_version_id", name=op.f("uq_audio_fingerprints_track_version_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fingerprint_terms",
        sa.Column("term", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint_id", NUMBER, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint_id"],
            ["audio_fingerprints.id"],
            name=op.f("fk_fingerprint_terms_fingerprint_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("term", "fingerprint_id", name=op.f("pk_fingerprint_terms")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_fingerprint_terms_fingerprint_id"), "fingerprint_terms", ["fingerprint_id"])
    op.create_table(
        "reports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("target_type", sa.String(length=20), nullable=False),
        sa.Column("target_id", sa.String(length=36), nullable=False),
        sa.Column("related_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("key", name=op.f("uq_reports_key")),
    )
    for column in ("target_id", "related_id", "status"):
        op.create_index(op.f(f"ix_reports_{column}"), "reports", [column])


def downgrade() -> None:
    """Neither fingerprints nor reports."""
    for table in ("reports", "fingerprint_terms", "audio_fingerprints"):
        op.drop_table(table)
