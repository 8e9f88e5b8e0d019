"""Requests for what only the worker can fetch."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "fetches",
        sa.Column("experiment_number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("error_message", sa.Text()),
        sa.Column("error_hint", sa.Text()),
        sa.ForeignKeyConstraint(
            ["experiment_number"],
            ["experiments.number"],
            name="fk_fetches_experiment_number_experiments",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_number", "name", name="pk_fetches"),
    )
