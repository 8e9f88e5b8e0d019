"""NDCG and coverage as columns, and the early stopping that was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; experiments from before have none of these values."""
    for column in (
        sa.Column("early_stopping_patience", sa.Integer()),
        sa.Column("early_stopping_monitor", sa.Text()),
        sa.Column("deterministic", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("ndcg_at_10", sa.Float(53)),
        sa.Column("catalogue_coverage", sa.Float(53)),
    ):
        op.add_column("experiments", column)
