"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "experiments",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parent_number", sa.Integer()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text()),
        sa.Column("progress", sa.Float(53)),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True)),
        sa.Column("delete_requested_at", sa.DateTime(timezone=True)),
        sa.Column("error_component", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("error_hint", sa.Text()),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("model_type", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("feature_config", sa.Text(), nullable=False),
        sa.Column("model_config", sa.Text(), nullable=False),
        sa.Column("dataset_hash", sa.Text(), nullable=False),
        sa.Column("feature_config_hash", sa.Text(), nullable=False),
        sa.Column("model_config_hash", sa.Text(), nullable=False),
        sa.Column("data_fingerprint", sa.Text(), nullable=False),
        sa.Column("sample_percent", sa.Float(53), nullable=False),
        sa.Column("sample_by", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("holdout_days", sa.Integer()),
        sa.Column("train_days", sa.Integer()),
        sa.Column("val_days", sa.Integer()),
        sa.Column("test_days", sa.Integer()),
        sa.Column("split_seed", sa.Integer(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("learning_rate", sa.Float(53), nullable=False),
        sa.Column("optimizer", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("hardware", sa.Text()),
        sa.Column("machine_type", sa.Text()),
        sa.Column("buyer_tower_structure", sa.Text(), nullable=False),
        sa.Column("product_tower_structure", sa.Text(), nullable=False),
        sa.Column("buyer_tensor_dim", sa.Integer(), nullable=False),
        sa.Column("product_tensor_dim", sa.Integer(), nullable=False),
        sa.Column("buyer_features", sa.JSON(), nullable=False),
        sa.Column("product_features", sa.JSON(), nullable=False),
        sa.Column("rows_train", sa.Integer()),
        sa.Column("rows_eval", sa.Integer()),
        sa.Column("rows_test", sa.Integer()),
        sa.Column("loss", sa.Float(53)),
        sa.Column("recall_at_5", sa.Float(53)),
        sa.Column("recall_at_10", sa.Float(53)),
        sa.Column("recall_at_50", sa.Float(53)),
        sa.Column("recall_at_100", sa.Float(53)),
        sa.Column("rmse", sa.Float(53)),
        sa.Column("mae", sa.Float(53)),
        sa.Column("test_rmse", sa.Float(53)),
        sa.Column("test_mae", sa.Float(53)),
        sa.Column("auc_roc", sa.Float(53)),
        sa.Column("difference", sa.Float(53)),
        sa.Column("difference_low", sa.Float(53)),
        sa.Column("difference_high", sa.Float(53)),
        sa.Column("cloud_build_id", sa.Text()),
        sa.Column("vertex_pipeline_job_name", sa.Text()),
        sa.Column("artifacts_uri", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_experiments")),
        sa.UniqueConstraint("uid", name=op.f("uq_experiments_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_experiments_dataset_number"), "experiments", ["dataset", "number"])
    op.create_index(
        op.f("ix_experiments_feature_config_number"), "experiments", ["feature_config", "number"]
    )
    op.create_index(
        op.f("ix_experiments_model_config_number"), "experiments", ["model_config", "number"]
    )
    op.create_index(
        op.f("ix_experiments_model_type_number"), "experiments", ["model_type", "number"]
    )
    op.create_index(op.f("ix_experiments_search_text"), "experiments", ["search_text"])
    op.create_index(op.f("ix_experiments_status_number"), "experiments", ["status", "number"])
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text()),
        sa.Column("pid", sa.Integer()),
        sa.Column("boot_id", sa.Text()),
        sa.Column("start_ticks", sa.Integer()),
        sa.Column("renewed_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_table(
        "cache_references",
        sa.Column("experiment_number", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_number"],
            ["experiments.number"],
            name=op.f("fk_cache_references_experiment_number_experiments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_number", "path", name=op.f("pk_cache_references")),
    )
    op.create_index(op.f("ix_cache_references_path"), "cache_references", ["path"])
    op.create_table(
        "components",
        sa.Column("experiment_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["experiment_number"],
            ["experiments.number"],
            name=op.f("fk_components_experiment_number_experiments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_number", "position", name=op.f("pk_components")),
    )
    op.create_table(
        "documents",
        sa.Column("experiment_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_number"],
            ["experiments.number"],
            name=op.f("fk_documents_experiment_number_experiments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_number", "kind", name=op.f("pk_documents")),
    )
