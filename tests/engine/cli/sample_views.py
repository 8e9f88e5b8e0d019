"""Snapshots of experiments as the engine gives them."""

from datetime import UTC, datetime, timedelta

from engine.snapshots import (
    BaselineView,
    CloudView,
    ComponentView,
    DefinitionHashes,
    DefinitionsView,
    ExperimentDetail,
    FeatureView,
    Metrics,
    ParamsView,
    SeenInTrain,
    TowerView,
    TrainingHistory,
)
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    GradientNorms,
    IndexReport,
    Interval,
    LossCurves,
    Rows,
)

NOW = datetime.now(UTC)


def experiment(number: int, status: str, **fields: object) -> ExperimentDetail:
    """Return an experiment of that status."""
    values: dict[str, object] = {
        "number": number,
        "uid": "a" * 16,
        "name": "",
        "description": "",
        "tags": (),
        "status": status,
        "stage": None,
        "progress": None,
        "model_type": "retrieval",
        "primary_metric": "recall_at_100",
        "epochs_trained": None,
        "backend": "local",
        "dataset": "grocery",
        "feature_config": "basic",
        "model_config_name": "retrieval-standard",
        "params": ParamsView(
            sample_percent=10, epochs=3, batch_size=1024, learning_rate=0.01, optimizer="adam"
        ),
        "metrics": Metrics(),
        "created_at": NOW,
        "started_at": None if status == "submitting" else NOW - timedelta(seconds=72),
        "ended_at": None,
        "error": None,
        "parent": None,
        "baseline": None,
        "interval": None,
        "references": {},
        "verdicts": (),
        "seen_in_train": None,
        "components": components(*["pending"] * 5),
        "rows": Rows(train=117_544, eval=22_040, test=7_347),
        "rows_without_target": None,
        "index": None,
        "definitions": DefinitionsView(
            hashes=DefinitionHashes(dataset="d", feature_config="f", model_config_hash="m"),
            buyer=_tower("household_id", 32),
            product=_tower("product_id", 96),
        ),
        "cloud": CloudView(),
        "artifacts_uri": "/home/somebody/towerlab-demo/.towerlab/runs/" + "a" * 16,
    }
    return ExperimentDetail.model_validate({**values, **fields})


SCANN = IndexReport(
    kind="scann", products=25_833, top_k=100, num_leaves=161, leaves_to_search=33, recall=0.9621,
    milliseconds=0.84, brute_force_milliseconds=1.91,
)  # fmt: skip


def completed(number: int, **fields: object) -> ExperimentDetail:
    """Return a rerun that is a little better than popularity."""
    difference = Interval(metric="recall_at_100", value=0.0173, low=0.01, high=0.024)
    values: dict[str, object] = {
        "ended_at": NOW,
        "parent": 2,
        "metrics": Metrics(
            loss=7.1234, recall_at_5=0.038, recall_at_10=0.057, recall_at_50=0.13,
            recall_at_100=0.1663,
        ),
        "baseline": BaselineView(
            name="popularity", recall_at_5=0.03, recall_at_10=0.05, recall_at_50=0.11,
            recall_at_100=0.149, difference=difference,
        ),
        "difference": difference,
        "interval": Interval(metric="recall_at_100", value=0.1663, low=0.158, high=0.174),
        "verdicts": ("Recall@100 of 0.1663 is above popularity's 0.1490.",),
        "seen_in_train": SeenInTrain(pairs=0.52, buyers=1, products=0.9, candidates=25_833),
        "components": components("completed", "cached", "completed", "completed", "completed"),
    }  # fmt: skip
    return experiment(number, "completed", **{**values, **fields})


def running(number: int, **fields: object) -> ExperimentDetail:
    """Return an experiment whose Trainer is in its second epoch."""
    values: dict[str, object] = {
        "stage": "Train, epoch 2 of 3",
        "progress": 0.62,
        "components": components("completed", "cached", "completed", "completed", "running"),
    }
    return experiment(number, "running", **{**values, **fields})


def components(*statuses: str) -> tuple[ComponentView, ...]:
    """Return the five components; each that has begun did so half a minute ago."""
    return tuple(
        ComponentView.model_validate(
            {
                "name": name,
                "status": "completed" if status == "cached" else status,
                "cached": status == "cached",
                "started_at": None if status == "pending" else NOW - timedelta(seconds=30),
                "ended_at": NOW if status in ("completed", "cached", "failed") else None,
            }
        )
        for name, status in zip(COMPONENT_NAMES, statuses, strict=True)
    )


def history(epochs: int) -> TrainingHistory:
    """Return the curves of the first epochs of three."""
    return TrainingHistory(
        cached_at=NOW,
        epochs=tuple(range(epochs)),
        loss=LossCurves(
            train=(8.3, 7.693, 7.0)[:epochs],
            val=(8.311, 7.902, 7.5)[:epochs],
            total=(8.4, 7.7, 7.1)[:epochs],
        ),
        gradient_norms=GradientNorms(
            total=(1.0,) * epochs, query=(0.6,) * epochs, candidate=(0.8,) * epochs
        ),
        examples_per_second=(9_655.0, 9_870.4, 9_900.0)[:epochs],
        final_metrics={},
        params={"epochs": 3},
    )


def _tower(column: str, dim: int) -> TowerView:
    feature = FeatureView(
        column=column,
        data_type="text",
        transforms=("embed",),
        tensor_dim=dim,
        dim=dim,
        primary=True,
    )
    return TowerView(tensor_dim=dim, features=(feature,), structure="128→64→32")
