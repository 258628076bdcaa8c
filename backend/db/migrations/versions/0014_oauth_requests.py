"""Sign-ins by OAuth."""

import sqlalchemy as sa
from alembic import op

from backend.db.base import Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sign-ins that wait for their owner's decision."""
    op.create_table(
        "oauth_requests",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("return_to", sa.String(length=500), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_requests")),
    )
    op.create_index(op.f("ix_oauth_requests_expires_at"), "oauth_requests", ["expires_at"])


def downgrade() -> None:
    """Only app passwords."""
    op.drop_table("oauth_requests")
