"""Records on people's own servers: as they are wanted, and as they were written."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Json, Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Records."""
    op.create_table(
        "pds_records",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("collection", sa.String(length=317), nullable=False),
        sa.Column("rkey", sa.String(length=512), nullable=False),
        sa.Column("wanted", Json, nullable=True),
        sa.Column("wanted_revision", sa.Integer(), nullable=False),
        sa.Column("written_revision", sa.Integer(), nullable=False),
        sa.Column("cid", sa.String(length=256), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("writer", sa.String(length=36), nullable=True),
        sa.Column("writer_until", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pds_records")),
        sa.UniqueConstraint("did", "kind", "subject", name=op.f("uq_pds_records_did_kind_subject")),
        sa.UniqueConstraint("did", "collection", "rkey", name=op.f("uq_pds_records_did_collection_rkey")),
    )
    unwritten = sa.text("written_revision <> wanted_revision")
    op.create_index(
        "ix_pds_records_unwritten",
        "pds_records",
        ["updated_at"],
        postgresql_where=unwritten,
        sqlite_where=unwritten,
    )


def downgrade() -> None:
    """Everything but records."""
    op.drop_table("pds_records")
