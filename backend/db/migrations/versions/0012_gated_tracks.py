"""Tracks may be gated, and versions know the bucket in which lies what was made of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """So far everything was public."""
    op.add_column("tracks", sa.Column("gated", sa.Boolean(), nullable=False, server_default=sa.false()))
    home = sa.Column("home", sa.String(length=20), nullable=False, server_default="public")
    op.add_column("track_versions", home)
    op.add_column("track_versions", sa.Column("writes", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Everything is public again; what lies in the private bucket has to be made again."""
    with op.batch_alter_table("track_versions", schema=None) as batch_op:
        batch_op.drop_column("writes")
        batch_op.drop_column("home")
    with op.batch_alter_table("tracks", schema=None) as batch_op:
        batch_op.drop_column("gated")
