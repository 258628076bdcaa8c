"""What is read from the network."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Json, Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cursors, records that others wrote elsewhere, and accounts that are away."""
    op.create_table(
        "readings",
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("event_at", Moment(), nullable=True),
        sa.Column("read_at", Moment(), nullable=False),
        sa.Column("missed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_readings")),
    )
    op.create_table(
        "known_records",
        sa.Column("uri", sa.String(length=1000), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("collection", sa.String(length=317), nullable=False),
        sa.Column("cid", sa.String(length=256), nullable=False),
        sa.Column("record", Json, nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_known_records")),
    )
    op.create_index(op.f("ix_known_records_did"), "known_records", ["did"])
    op.create_table(
        "away_accounts",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_away_accounts")),
    )


def downgrade() -> None:
    """Read nothing. The records stay where they are."""
    for table in ("away_accounts", "known_records", "readings"):
        op.drop_table(table)
