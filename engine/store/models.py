"""The tables. Portable SQL only: SQLite today, PostgreSQL for teams later.

What lists, searches and analyses read are columns of `experiments`; large JSON lives in
`documents`, so that a query over many experiments never reads past it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, MetaData, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from engine.store.types import FiniteFloat, UtcDateTime


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can refer to it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: Text(),
        float: FiniteFloat(),
        datetime: UtcDateTime(),
        list[str]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(none_as_null=True),
    }


class ExperimentRow(Base):
    """One experiment.

    `number` is never reused. `version` grows with every change and is what compare-and-set
    compares. `parent_number` is no foreign key: the parent may be deleted and keeps its number.
    """

    __tablename__ = "experiments"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column(default=1)
    parent_number: Mapped[int | None]

    name: Mapped[str]
    description: Mapped[str]
    tags: Mapped[list[str]]
    search_text: Mapped[str]
    """Name, description, tags and the definitions' names in lower case."""

    status: Mapped[str]
    stage: Mapped[str | None]
    progress: Mapped[float | None]
    cancel_requested_at: Mapped[datetime | None]
    delete_requested_at: Mapped[datetime | None]
    error_component: Mapped[str | None]
    error_message: Mapped[str | None]
    error_hint: Mapped[str | None]

    backend: Mapped[str]
    model_type: Mapped[str]
    primary_metric: Mapped[str] = mapped_column(
        default="recall_at_100", server_default="recall_at_100"
    )
    """What the model is judged by: `recall_at_100` or `test_rmse`."""
    dataset: Mapped[str]
    feature_config: Mapped[str]
    model_config: Mapped[str]
    dataset_hash: Mapped[str]
    feature_config_hash: Mapped[str]
    model_config_hash: Mapped[str]
    data_fingerprint: Mapped[str]

    sample_percent: Mapped[float]
    sample_by: Mapped[str]
    split: Mapped[str]
    holdout_days: Mapped[int | None]
    train_days: Mapped[int | None]
    val_days: Mapped[int | None]
    test_days: Mapped[int | None]
    split_seed: Mapped[int]
    epochs: Mapped[int]
    epochs_trained: Mapped[int | None]
    batch_size: Mapped[int]
    learning_rate: Mapped[float]
    optimizer: Mapped[str]
    seed: Mapped[int]
    early_stopping_patience: Mapped[int | None]
    early_stopping_monitor: Mapped[str | None]
    deterministic: Mapped[bool] = mapped_column(default=False, server_default=false())
    hardware: Mapped[str | None]
    machine_type: Mapped[str | None]

    buyer_tower_structure: Mapped[str]
    product_tower_structure: Mapped[str]
    buyer_tensor_dim: Mapped[int]
    product_tensor_dim: Mapped[int]
    buyer_features: Mapped[list[dict[str, Any]]]
    product_features: Mapped[list[dict[str, Any]]]

    rows_train: Mapped[int | None]
    rows_eval: Mapped[int | None]
    rows_test: Mapped[int | None]

    loss: Mapped[float | None]
    recall_at_5: Mapped[float | None]
    recall_at_10: Mapped[float | None]
    recall_at_50: Mapped[float | None]
    recall_at_100: Mapped[float | None]
    new_recall_at_100: Mapped[float | None]
    ndcg_at_10: Mapped[float | None]
    catalogue_coverage: Mapped[float | None]
    rmse: Mapped[float | None]
    mae: Mapped[float | None]
    test_rmse: Mapped[float | None]
    test_mae: Mapped[float | None]
    auc_roc: Mapped[float | None]
    difference: Mapped[float | None]
    """The primary metric minus the baseline's, and the paired interval of it."""
    difference_low: Mapped[float | None]
    difference_high: Mapped[float | None]

    cloud_build_id: Mapped[str | None]
    vertex_pipeline_job_name: Mapped[str | None]
    artifacts_uri: Mapped[str | None]

    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    components: Mapped[list["ComponentRow"]] = relationship(
        lazy="raise", order_by="ComponentRow.position", passive_deletes=True
    )

    __table_args__ = (
        Index(None, "search_text"),
        *(
            Index(None, column, "number")
            for column in ("status", "model_type", "dataset", "feature_config", "model_config")
        ),
        {"sqlite_autoincrement": True},
    )


def _experiment_key() -> Mapped[int]:
    return mapped_column(ForeignKey("experiments.number", ondelete="CASCADE"), primary_key=True)


class ComponentRow(Base):
    """State of one component of one experiment."""

    __tablename__ = "components"

    experiment_number: Mapped[int] = _experiment_key()
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str]
    cached: Mapped[bool]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class DocumentRow(Base):
    """A JSON document of an experiment, as text that pydantic wrote; kinds in `documents.py`."""

    __tablename__ = "documents"

    experiment_number: Mapped[int] = _experiment_key()
    kind: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str]


class CacheReferenceRow(Base):
    """A folder of the shared cache, relative to it, that an experiment's results rest on."""

    __tablename__ = "cache_references"

    experiment_number: Mapped[int] = _experiment_key()
    path: Mapped[str] = mapped_column(primary_key=True, index=True)


class FetchRow(Base):
    """A request for what only the worker can fetch; see `fetches.py`."""

    __tablename__ = "fetches"

    experiment_number: Mapped[int] = _experiment_key()
    name: Mapped[str] = mapped_column(primary_key=True)
    requested_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    error_message: Mapped[str | None]
    error_hint: Mapped[str | None]


class LeaseRow(Base):
    """Who may do a worker's work; a single row, whose epoch grows with every new owner."""

    __tablename__ = "lease"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    host: Mapped[str | None]
    pid: Mapped[int | None]
    boot_id: Mapped[str | None]
    start_ticks: Mapped[int | None]
    renewed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
