"""What a model is judged by, how long it trained, and Recall@100 on new products."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DOCUMENTS = sa.text(
    "SELECT experiment_number, content FROM documents WHERE kind = 'metrics'"
    " ORDER BY experiment_number"
)
_UPDATE = sa.text(
    "UPDATE experiments SET primary_metric = :primary, epochs_trained = :trained,"
    " new_recall_at_100 = :new WHERE number = :number"
)


def upgrade() -> None:
    """Add the columns, and fill them from the metrics that experiments have."""
    for column in (
        sa.Column("primary_metric", sa.Text(), nullable=False, server_default="recall_at_100"),
        sa.Column("epochs_trained", sa.Integer()),
        sa.Column("new_recall_at_100", sa.Float(53)),
    ):
        op.add_column("experiments", column)
    op.execute("UPDATE experiments SET primary_metric = 'test_rmse' WHERE model_type = 'ranking'")
    op.execute(
        "UPDATE experiments SET difference = NULL, difference_low = NULL, difference_high = NULL"
        " WHERE rows_test < 100"
    )
    connection = op.get_bind()
    for number, content in connection.execute(_DOCUMENTS).all():
        connection.execute(_UPDATE, {"number": number, **_of(json.loads(content))})


def _of(metrics: dict[str, Any]) -> dict[str, Any]:
    new = metrics.get("new_products") or {}
    return {
        "primary": metrics["interval"]["metric"],
        "trained": len(metrics["epochs"]),
        "new": new.get("metrics", {}).get("recall_at_100"),
    }
