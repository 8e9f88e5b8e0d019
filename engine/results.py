"""What a run's metrics say: the columns that are compared, and sentences on what they are worth."""

from collections.abc import Sequence

from engine.snapshots import BaselineView, Metrics, SeenInTrain
from engine.spec.run_folder import Baseline, Interval, TrainingMetrics

PRIMARY_METRIC = "recall_at_100"
"""What retrieval is judged by."""

_PRIMARY_K = int(PRIMARY_METRIC.removeprefix("recall_at_"))
_MOST = 0.5
"""Above this share "most" is the right word."""
_SMALLER_KS = (50, 10, 5)
_ENOUGH_TEST_ROWS = 100
_FEW_TEST_ROWS = 20
"""Fewer test rows than this say nothing at all."""


_WHOSE = {
    "popularity": "popularity's",
    "own_history": "what the buyers' own purchase history gives,",
}


def columns(metrics: TrainingMetrics) -> dict[str, float | int | None]:
    """Return the columns of an experiment that its metrics fill."""
    difference = metrics.baseline.difference
    return {
        **{name: metrics.final_metrics.get(name) for name in Metrics.model_fields},
        "rows_train": metrics.rows.train,
        "rows_eval": metrics.rows.eval,
        "rows_test": metrics.rows.test,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
    }


def baseline(metrics: TrainingMetrics | None) -> BaselineView | None:
    """Return the baseline's figures on the same test rows."""
    return None if metrics is None else _view(metrics.baseline)


def references(metrics: TrainingMetrics | None) -> dict[str, BaselineView]:
    """Return the other models that were measured on the same test rows, by name."""
    return {} if metrics is None else {other.name: _view(other) for other in metrics.references}


def _view(found: Baseline) -> BaselineView:
    names = set(BaselineView.model_fields) - {"name", "difference"}
    return BaselineView.model_validate(
        {
            "name": found.name,
            "difference": found.difference,
            **{name: found.metrics.get(name) for name in names},
        }
    )


def seen_in_train(metrics: TrainingMetrics | None) -> SeenInTrain | None:
    """Return how much of the test split training had seen."""
    if metrics is None:
        return None
    return SeenInTrain(
        pairs=metrics.seen_in_train_share,
        buyers=1 - metrics.unknown_buyer_share,
        products=1 - metrics.unknown_product_share,
        candidates=metrics.candidates,
    )


def verdicts(
    metrics: TrainingMetrics | None, warnings: Sequence[str] = (), *, completed: bool
) -> tuple[str, ...]:
    """Return what has to be known of an experiment, in sentences.

    Args:
        metrics: the final ones, once it has them.
        warnings: what was worth telling before the run; they come first.
        completed: whether metrics are to be expected.
    """
    found = _on_metrics(metrics) if metrics else []
    if completed and metrics is None:
        found.append("The run left no readable metrics.")
    # The result says again, and with more words, what a warning expected of it.
    news = [w for w in warnings if not any(f.startswith(_subject(w)) for f in found)]
    return (*news, *found)


def _subject(sentence: str) -> str:
    return sentence.rstrip(".").partition(":")[0]


def _on_metrics(metrics: TrainingMetrics) -> list[str]:
    if metrics.rows.test < _ENOUGH_TEST_ROWS:
        return [_too_few(metrics.rows.test), *_unknown_buyers(metrics)]
    return [
        _against(metrics, metrics.baseline),
        *(_against(metrics, other) for other in metrics.references),
        *_on_new_products(metrics),
        *_few_candidates(metrics),
        *_unknown_buyers(metrics),
    ]


def _too_few(rows: int) -> str:
    if rows < _FEW_TEST_ROWS:
        return f"Only {rows} test {'row' if rows == 1 else 'rows'}: this result says nothing."
    return f"Only {rows} test rows: too few to conclude anything from this result."


def _few_candidates(metrics: TrainingMetrics) -> list[str]:
    products = metrics.candidates
    if products > _PRIMARY_K:
        return []
    told = f"There are only {products} products, so every known one is among the top {_PRIMARY_K}"
    smaller = next((k for k in _SMALLER_KS if k * 2 <= products), None)
    if smaller is None:
        return [f"{told}."]
    return [f"{told}: compare Recall@{smaller} instead, for which there is no interval."]


def _unknown_buyers(metrics: TrainingMetrics) -> list[str]:
    if metrics.unknown_buyer_share <= _MOST:
        return []
    return [
        f"{metrics.unknown_buyer_share:.0%} of the test rows are of buyers who are not in train:"
        " their part of the result says little about known buyers."
    ]


def _on_new_products(metrics: TrainingMetrics) -> list[str]:
    new = metrics.new_products
    if new is None or metrics.seen_in_train_share == 0:
        return []
    return [
        f"{new.rows / metrics.rows.test:.0%} of the test rows are products that their buyer doesn't"
        f" have in train: there {_label(PRIMARY_METRIC)} is"
        f" {_figure(new.metrics.get(PRIMARY_METRIC))}, popularity's"
        f" {_figure(new.popularity.get(PRIMARY_METRIC))}."
    ]


def _against(metrics: TrainingMetrics, other: Baseline) -> str:
    difference = other.difference
    whose = _WHOSE[other.name]
    name = difference.metric
    value = metrics.interval.value if metrics.interval.metric == name else None
    value = metrics.final_metrics.get(name, value)
    reference = other.metrics.get(name)
    if difference.low == difference.high:
        return (
            f"{_label(name)} of {_figure(value)} cannot be told from {whose}"
            f" {_figure(reference)}: the difference of {difference.value:+.4f} has an interval"
            " without width, so it shows nothing about chance."
        )
    return (
        f"{_label(name)} of {_figure(value)} is {_relation(difference)} {whose}"
        f" {_figure(reference)} ({_difference(difference)})."
    )


def _relation(difference: Interval) -> str:
    if difference.low > 0:
        return "above"
    return "below" if difference.high < 0 else "not distinguishable from"


def _difference(difference: Interval) -> str:
    return (
        f"difference {difference.value:+.4f}, {difference.level:.0%} interval"
        f" {difference.low:+.4f} to {difference.high:+.4f}"
    )


def _label(metric: str) -> str:
    if metric.startswith("recall_at_"):
        return f"Recall@{metric.removeprefix('recall_at_')}"
    return metric.replace("_", " ")


def _figure(value: float | None) -> str:
    return "an unknown value" if value is None else f"{value:.4f}"
