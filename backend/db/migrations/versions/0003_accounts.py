"""Accounts, what is to be revoked, and attempts to sign in."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Accounts, revocations, attempts."""
    op.create_table(
        "accounts",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("handle", sa.String(length=253), nullable=False),
        sa.Column("pds_url", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("credentials", sa.Text(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("refreshing", sa.String(length=36), nullable=True),
        sa.Column("refreshing_until", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_accounts")),
    )
    op.create_table(
        "revocations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("pds_url", sa.String(length=500), nullable=False),
        sa.Column("credentials", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(op.f("ix_sign_in_attempts_at"), "sign_in_attempts", ["at"])
    op.create_index("ix_sign_in_attempts_subject_at", "sign_in_attempts", ["subject", "at"])


def downgrade() -> None:
    """Sign-ins and exports."""
    for table in ("sign_in_attempts", "revocations", "accounts"):
        op.drop_table(table)
