"""Binary waveforms, and which run made a stream."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Waveforms have binary data too; a stream knows the run that made it."""
    op.add_column("transcodes", sa.Column("run_id", sa.String(length=36), nullable=True))
    with op.batch_alter_table("waveforms") as waveforms:
        waveforms.add_column(sa.Column("dat_asset_id", sa.String(length=36), nullable=True))
        waveforms.create_foreign_key(op.f("fk_waveforms_dat_asset_id_assets"), "assets", ["dat_asset_id"], ["id"])
    op.create_index(op.f("ix_waveforms_dat_asset_id"), "waveforms", ["dat_asset_id"])


def downgrade() -> None:
    """Neither."""
    op.drop_index(op.f("ix_waveforms_dat_asset_id"), "waveforms")
    with op.batch_alter_table("waveforms") as waveforms:
        waveforms.drop_constraint(op.f("fk_waveforms_dat_asset_id_assets"), type_="foreignkey")
        waveforms.drop_column("dat_asset_id")
    op.drop_column("transcodes", "run_id")
