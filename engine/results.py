"""What a run's metrics say: the columns that are compared, and sentences on what they are worth."""

from collections.abc import Sequence

from engine.metric_names import (
    ENOUGH_TEST_ROWS,
    NEW_RECALL_AT_100,
    RECALL_AT_100,
    lower_is_better,
    metric_label,
    standing,
)
from engine.snapshots import BaselineView, Metrics, SeenInTrain
from engine.spec.run_folder import Baseline, Interval, TrainingMetrics

_PRIMARY_K = int(RECALL_AT_100.removeprefix("recall_at_"))
_MOST = 0.5
"""Above this share "most" is the right word."""
_MANY = 0.3
"""Above this share products that train doesn't have are worth a sentence."""
_LEARNED = 0.01
"""The least share by which a loss must be below that of guessing."""
_OVERFITS, _CURVE = 0.01, 4
"""The least relative rise of the validation loss that is told, of at least so many epochs."""
_FOUND = 0.9
"""Below this share of brute force's products, the index answers worse than was measured."""
_SMALLER_KS = (50, 10, 5)
_FEW_TEST_ROWS = 20
"""Fewer test rows than this say nothing at all."""


_WHOSE = {
    "popularity": "popularity's",
    "own_history": "what the buyers' own purchase history gives,",
    "item_to_item": "what products bought together give,",
    "bias": "that of the averages of buyers and products (bias),",
}


def columns(metrics: TrainingMetrics) -> dict[str, float | int | None]:
    """Return the columns of an experiment that its metrics fill."""
    difference = _claimed(metrics, metrics.baseline)
    return {
        **{name: metrics.figures.get(name) for name in Metrics.model_fields},
        "epochs_trained": len(metrics.epochs),
        "rows_train": metrics.rows.train,
        "rows_eval": metrics.rows.eval,
        "rows_test": metrics.rows.test,
        "difference": difference.value if difference else None,
        "difference_low": difference.low if difference else None,
        "difference_high": difference.high if difference else None,
    }


def baseline(metrics: TrainingMetrics | None) -> BaselineView | None:
    """Return the baseline's figures on the same test rows."""
    return None if metrics is None else _view(metrics, metrics.baseline)


def references(metrics: TrainingMetrics | None) -> dict[str, BaselineView]:
    """Return the other models that were measured on the same test rows, by name."""
    if metrics is None:
        return {}
    return {other.name: _view(metrics, other) for other in metrics.references}


def rows_without_target(metrics: TrainingMetrics | None) -> int | None:
    """Return how many test rows the errors leave out; None where nothing is rated."""
    if metrics is None or metrics.model_type == "retrieval":
        return None
    return metrics.rows_without_target


def _claimed(metrics: TrainingMetrics, other: Baseline) -> Interval | None:
    """Return the difference from a reference; None where too few rows say anything about it."""
    return other.difference if metrics.rows.test >= ENOUGH_TEST_ROWS else None


def _view(metrics: TrainingMetrics, found: Baseline) -> BaselineView:
    names = set(BaselineView.model_fields) - {"name", "difference"}
    new = metrics.new_products
    figures = dict(found.metrics)
    if new is not None and found.name == "popularity":
        figures[NEW_RECALL_AT_100] = new.popularity[RECALL_AT_100]
    return BaselineView.model_validate(
        {
            "name": found.name,
            "difference": _claimed(metrics, found),
            **{name: figures.get(name) for name in names},
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


def verdicts(metrics: TrainingMetrics | None, warnings: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what has to be known of an experiment, in sentences.

    Args:
        metrics: the final ones, once it has them.
        warnings: what was worth telling before the run; they come first.
    """
    found = _on_metrics(metrics) if metrics else []
    # The result says again, and with more words, what a warning expected of it.
    news = [w for w in warnings if not any(f.startswith(_subject(w)) for f in found)]
    return (*news, *found)


def _subject(sentence: str) -> str:
    return sentence.rstrip(".").partition(":")[0]


def _on_metrics(metrics: TrainingMetrics) -> list[str]:
    """Return what is to be said of a result; first what makes it worthless."""
    if metrics.rows.test < ENOUGH_TEST_ROWS:
        return [_too_few(metrics.rows.test), *_cold(metrics)]
    return [
        *_learned_nothing(metrics),
        _against(metrics, metrics.baseline),
        *(_against(metrics, other) for other in metrics.references),
        *_on_new_products(metrics),
        *_few_candidates(metrics),
        *_cold(metrics),
        *_index_misses(metrics),
        *_without_target(metrics),
        *_stopped_early(metrics),
        *_overfits(metrics),
    ]


def _ranks_products(metrics: TrainingMetrics) -> bool:
    return metrics.interval.metric == RECALL_AT_100


def _learned_nothing(metrics: TrainingMetrics) -> list[str]:
    """Towers that can't tell anything apart: then the score is the prior alone."""
    chance = metrics.chance_loss
    curve = metrics.epoch_metrics.get("retrieval_loss", metrics.loss.train)
    loss = curve[-1 if metrics.best_epoch is None else metrics.best_epoch]
    if chance is None or loss < (1 - _LEARNED) * chance:
        return []
    return [
        f"The towers learned nothing: the loss stayed at {loss:.3f}, that of"
        f" guessing ({chance:.3f}). Try a higher learning rate, another optimizer or more epochs."
    ]


def _overfits(metrics: TrainingMetrics) -> list[str]:
    """Validation that was best well before the end, while the training loss went on falling."""
    curve = [value for value in metrics.loss.val if value is not None]
    kept_best = metrics.stopped_early or metrics.best_epoch is not None
    if len(curve) < _CURVE or len(curve) < len(metrics.loss.val) or kept_best:
        return []
    best = curve.index(min(curve))
    if (
        curve[-1] <= (1 + _OVERFITS) * curve[best]
        or metrics.loss.train[-1] >= metrics.loss.train[best]
    ):
        return []
    return [
        f"It overfits: the validation loss was lowest after epoch {best + 1} ({curve[best]:.3f})"
        f" and ended at {curve[-1]:.3f}. Try fewer epochs or early stopping."
    ]


def _stopped_early(metrics: TrainingMetrics) -> list[str]:
    if not metrics.stopped_early:
        return []
    return [
        f"Training stopped early, at epoch {len(metrics.epochs)} of {metrics.params['epochs']}: the"
        f" result is that of {_best(metrics.best_epoch)}."
    ]


def _index_misses(metrics: TrainingMetrics) -> list[str]:
    index = metrics.index
    if index is None or index.recall >= _FOUND:
        return []
    return [
        f"The exported index finds {index.recall:.0%} of the products that brute force finds, so it"
        " answers worse than the figures here: raise leaves_to_search, or take brute_force."
    ]


def _best(epoch: int | None) -> str:
    return "the best epoch" if epoch is None else f"epoch {epoch + 1}, the best"


def _without_target(metrics: TrainingMetrics) -> list[str]:
    if not metrics.rows_without_target:
        return []
    return [
        f"{metrics.rows_without_target:,} of the {metrics.rows.test:,} test rows have no target:"
        " the errors leave them out."
    ]


def _too_few(rows: int) -> str:
    if rows < _FEW_TEST_ROWS:
        return f"Only {rows} test {'row' if rows == 1 else 'rows'}: this result says nothing."
    return f"Only {rows} test rows: too few to conclude anything from this result."


def _few_candidates(metrics: TrainingMetrics) -> list[str]:
    products = metrics.candidates
    if not _ranks_products(metrics):
        return []
    if products > _PRIMARY_K:
        return []
    told = f"There are only {products} products, so every known one is among the top {_PRIMARY_K}"
    smaller = next((k for k in _SMALLER_KS if k * 2 <= products), None)
    if smaller is None:
        return [f"{told}."]
    return [f"{told}: compare Recall@{smaller} instead, for which there is no interval."]


def _cold(metrics: TrainingMetrics) -> list[str]:
    found: list[str] = []
    if metrics.unknown_buyer_share > _MOST:
        found.append(
            f"{metrics.unknown_buyer_share:.0%} of the test rows are of buyers who are not in"
            " train: their part of the result says little about known buyers."
        )
    if metrics.unknown_product_share > _MANY:
        means = " and always count as misses" if _ranks_products(metrics) else ""
        found.append(
            f"{metrics.unknown_product_share:.0%} of the test rows are of products that are not in"
            f" train{means}."
        )
    return found


def _on_new_products(metrics: TrainingMetrics) -> list[str]:
    new = metrics.new_products
    if new is None or metrics.seen_in_train_share == 0:
        return []
    return [
        f"{new.rows / metrics.rows.test:.0%} of the test rows are products that their buyer doesn't"
        f" have in train: there {metric_label(RECALL_AT_100)} is"
        f" {_figure(new.metrics.get(RECALL_AT_100))}, popularity's"
        f" {_figure(new.popularity.get(RECALL_AT_100))}."
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
            f"{metric_label(name)} of {_figure(value)} cannot be told from {whose}"
            f" {_figure(reference)}: the difference of {difference.value:+.4f} has an interval"
            " without width, so it shows nothing about chance."
        )
    relation = _relation(difference) or "not distinguishable from"
    return (
        f"{metric_label(name)} of {_figure(value)} is {relation} {whose}"
        f" {_figure(reference)} ({_difference(difference)}){_what_it_means(metrics, other)}."
    )


def _what_it_means(metrics: TrainingMetrics, other: Baseline) -> str:
    """Return what a comparison with what the scores start from, or could start from, shows.

    A model without the popularity prior that is as good as popularity has learned as much by
    itself; one without the buyers' history could have it for an option.
    """
    relation = _relation(other.difference)
    if other.name == "popularity" and metrics.popularity_prior and not relation:
        return ": the model adds nothing to what is popular that this test could show"
    if other.name != "own_history":
        return ""
    if metrics.own_history:
        return "" if relation else ": the towers add nothing to it that this test could show"
    return ": `own_history = true` adds it to the scores" if relation == "below" else ""


def _relation(difference: Interval) -> str:
    """Return which side of the other's value it is on; empty where they can't be told apart."""
    if standing(difference.metric, difference.low, difference.high) == "alike":
        return ""
    side = "above" if difference.low > 0 else "below"
    if not lower_is_better(difference.metric):
        return side
    return f"{side} ({'worse' if side == 'above' else 'better'} than)"


def _difference(difference: Interval) -> str:
    return (
        f"difference {difference.value:+.4f}, {difference.level:.0%} interval"
        f" {difference.low:+.4f} to {difference.high:+.4f}"
    )


def _figure(value: float | None) -> str:
    return "an unknown value" if value is None else f"{value:.4f}"
