"""Rows become the frozen views of `engine.snapshots`."""

from collections.abc import Sequence
from typing import Any, cast

from engine.results import (
    baseline,
    references,
    rows_without_target,
    seen_in_train,
    verdicts,
)
from engine.snapshots import (
    CloudView,
    ComponentView,
    DefinitionHashes,
    DefinitionsView,
    ExperimentDetail,
    ExperimentSummary,
    Metrics,
    ParamsView,
    TowerView,
)
from engine.spec import EarlyStopping, Split
from engine.spec.run_folder import (
    CLAIM_LEVEL,
    COMPONENT_NAMES,
    Interval,
    Rows,
    RunError,
    TrainingMetrics,
)
from engine.states import Status, intent_of
from engine.store.models import ComponentRow, ExperimentRow


def summary(row: ExperimentRow) -> ExperimentSummary:
    """Return an experiment as lists show it."""
    return ExperimentSummary.model_validate(_common(row))


def detail(
    row: ExperimentRow,
    metrics: TrainingMetrics | None,
    warnings: Sequence[str] = (),
    remaining_seconds: float | None = None,
) -> ExperimentDetail:
    """Return everything about an experiment; its components must be loaded.

    Args:
        row: the experiment.
        metrics: the final ones, once it has them.
        warnings: what was worth telling before the run.
        remaining_seconds: estimate of the time to its end.
    """
    return ExperimentDetail.model_validate(
        {
            **_common(row),
            "baseline": baseline(metrics),
            "interval": metrics.interval if metrics else None,
            "references": references(metrics),
            "verdicts": verdicts(metrics, warnings),
            "seen_in_train": seen_in_train(metrics),
            "index": metrics.index if metrics else None,
            "components": _components(row.components),
            "rows": _rows(row),
            "rows_without_target": rows_without_target(metrics),
            "definitions": _definitions(row),
            "cloud": CloudView(
                build_id=row.cloud_build_id, pipeline_job_name=row.vertex_pipeline_job_name
            ),
            "artifacts_uri": row.artifacts_uri,
            "remaining_seconds": remaining_seconds,
        }
    )


def _common(row: ExperimentRow) -> dict[str, Any]:
    copied = (
        "number",
        "uid",
        "name",
        "description",
        "tags",
        "status",
        "stage",
        "progress",
        "model_type",
        "primary_metric",
        "epochs_trained",
        "backend",
        "dataset",
        "feature_config",
        "model_config",
        "created_at",
        "started_at",
        "ended_at",
    )
    return {
        **{name: getattr(row, name) for name in copied},
        "intent": intent_of(
            cast("Status", row.status),
            cancel=row.cancel_requested_at is not None,
            delete=row.delete_requested_at is not None,
        ),
        "params": _params(row),
        "metrics": Metrics(**{name: getattr(row, name) for name in Metrics.model_fields}),
        "difference": _difference(row),
        "error": _error(row),
        "parent": row.parent_number,
    }


def _params(row: ExperimentRow) -> ParamsView:
    split = {name: getattr(row, name) for name in Split.model_fields if name != "kind"}
    names = set(ParamsView.model_fields) - {"split", "early_stopping"}
    stopping = row.early_stopping_patience and EarlyStopping.model_validate(
        {"patience": row.early_stopping_patience, "monitor": row.early_stopping_monitor}
    )
    return ParamsView.model_validate(
        {
            **{name: getattr(row, name) for name in names},
            "split": {"kind": row.split, **split},
            "early_stopping": stopping,
        }
    )


def _error(row: ExperimentRow) -> RunError | None:
    if row.error_message is None:
        return None
    return RunError.model_validate(
        {
            "component": row.error_component,
            "message": row.error_message,
            "hint": row.error_hint or "",
        }
    )


def _difference(row: ExperimentRow) -> Interval | None:
    value, low, high = row.difference, row.difference_low, row.difference_high
    if value is None or low is None or high is None:
        return None
    return Interval(metric=row.primary_metric, value=value, low=low, high=high, level=CLAIM_LEVEL)


def _components(rows: list[ComponentRow]) -> tuple[ComponentView, ...]:
    if not rows:
        return tuple(ComponentView(name=name, status="pending") for name in COMPONENT_NAMES)
    names = set(ComponentView.model_fields)
    return tuple(
        ComponentView.model_validate({name: getattr(row, name) for name in names}) for row in rows
    )


def _rows(row: ExperimentRow) -> Rows | None:
    if row.rows_train is None or row.rows_eval is None or row.rows_test is None:
        return None
    return Rows(train=row.rows_train, eval=row.rows_eval, test=row.rows_test)


def _definitions(row: ExperimentRow) -> DefinitionsView:
    return DefinitionsView(
        hashes=DefinitionHashes.model_validate(
            {
                "dataset": row.dataset_hash,
                "feature_config": row.feature_config_hash,
                "model_config": row.model_config_hash,
            }
        ),
        buyer=_tower(row.buyer_tensor_dim, row.buyer_features, row.buyer_tower_structure),
        product=_tower(row.product_tensor_dim, row.product_features, row.product_tower_structure),
    )


def _tower(tensor_dim: int, features: list[dict[str, Any]], structure: str) -> TowerView:
    return TowerView.model_validate(
        {"tensor_dim": tensor_dim, "features": features, "structure": structure}
    )
