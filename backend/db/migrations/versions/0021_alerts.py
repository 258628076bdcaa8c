"""What the operator was told of."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Troubles, and notices that went out."""
    op.create_table(
        "troubles",
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.Column("resolved_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_troubles")),
    )
    op.create_table(
        "sent_notices",
        sa.Column("notice_id", sa.String(length=500), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("sent_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "channel", name=op.f("pk_sent_notices")),
    )
    op.create_index(op.f("ix_sent_notices_sent_at"), "sent_notices", ["sent_at"])


def downgrade() -> None:
    """Nobody knows any more what the operator was told: open troubles are told of again."""
    op.drop_table("sent_notices")
    op.drop_table("troubles")
