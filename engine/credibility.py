"""Whether what a Trainer has written can be true.

Its files come from elsewhere: well-formed JSON may still say that recall is 7, hold curves of
different lengths, or a count that no database stores. Such a file is not believed, and the reason
is a sentence with the field in it. Bounds are those of the arithmetic, never of what is usual.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from engine.spec.run_folder import (
    Baseline,
    EpochRecord,
    Histogram,
    Histograms,
    Interval,
    Progress,
    TrainingMetrics,
)
from engine.text import safe_line

_FLOAT32_MOST = 3.4028235e38
"""TensorFlow's float32 holds no larger number."""
_COUNT_MOST = 2**53
"""Whole numbers up to here survive JSON readers, SQLite and float64."""
_EPOCHS_MOST = 100_000
_VALUES_MOST = 1_000_000
"""Values in one file: many times those of the longest run, and read within seconds."""
_NAMES_MOST, _TEXT_MOST = 1_000, 1_000
"""Entries of a table of names, and characters of a text."""
_LISTED_ERRORS = 1_000
_NEAR = 1e-4
"""By how much two figures may differ that say the same."""
_RECALL = "recall_at_"
_SHARES = (_RECALL, "ndcg_at_", "catalogue_coverage", "auc")
_ERRORS = ("rmse", "mae")

Record = TypeVar("Record", bound=BaseModel)
_Number = float | int


class NotCredible(Exception):
    """A file can't be true; the message says which field and why, without a full stop."""


def believed(kind: type[Record], data: bytes) -> Record:
    """Return what a file of the Trainer says.

    Args:
        kind: what it holds.
        data: its content, or one line of it.

    Raises:
        NotCredible: it isn't such a file, or can't be true.
    """
    if data.count(b",") >= _VALUES_MOST:
        raise NotCredible(f"it has more than {_VALUES_MOST:,} values")
    try:
        record = kind.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise NotCredible(_first_of(error)) from error
    json.loads(data, object_pairs_hook=_distinct)
    check = _CHECKS.get(kind)
    if check is not None:
        check(record)
    return record


def _first_of(error: ValidationError) -> str:
    if error.error_count() > _LISTED_ERRORS:
        return f"{error.error_count():,} of its values are of the wrong kind"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    said = first["msg"].rstrip(".")
    if first["type"] == "json_invalid":
        return f"it is no valid JSON ({said.removeprefix('Invalid JSON: ')})"
    if first["type"] == "missing":
        return f"{_at(*first['loc'])} is missing"
    if first["type"] == "extra_forbidden":
        return f"{_at(*first['loc'])} is unknown"
    field = _at(*first["loc"]) if first["loc"] else "it"
    return f"{field} is wrong ({said[:1].lower()}{said[1:]})"


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotCredible(f"{_at(name)} is there twice")
        found[name] = value
    return found


def _check_metrics(metrics: TrainingMetrics) -> None:
    _check_names(metrics)
    _check_epochs("epochs", metrics.epochs)
    _check_curves(metrics)
    _figures("final_metrics", metrics.final_metrics)
    rows = metrics.rows
    for name in type(rows).model_fields:
        _count(_at("rows", name), getattr(rows, name))
    if rows.test < 1 or rows.train < 1:
        raise NotCredible("rows has no row to train on or to test on")
    _count("candidates", metrics.candidates)
    _upto("rows_without_target", metrics.rows_without_target, rows.test, "test rows")
    for name in ("unknown_product_share", "unknown_buyer_share", "seen_in_train_share"):
        _share(name, getattr(metrics, name))
    if metrics.chance_loss is not None:
        _finite("chance_loss", metrics.chance_loss)
    _check_claims(metrics)
    _check_new_products(metrics)
    _check_vocabularies(metrics)
    _check_index(metrics)


def _check_names(metrics: TrainingMetrics) -> None:
    for name in ("epoch_metrics", "final_metrics", "params", "vocabulary_sizes", "vocabularies"):
        table: Mapping[str, object] = getattr(metrics, name)
        if len(table) > _NAMES_MOST:
            raise NotCredible(f"{name} has {len(table):,} entries")
        texts = (*table, *(value for value in table.values() if isinstance(value, str)))
        if any(len(text) > _TEXT_MOST for text in texts):
            raise NotCredible(f"{name} has a text of more than {_TEXT_MOST:,} characters")
    for name, value in metrics.params.items():
        if isinstance(value, int | float):
            _finite(_at("params", name), value)


def _check_epochs(field: str, epochs: Sequence[int]) -> None:
    if not epochs:
        raise NotCredible(f"{field} is empty")
    for position, epoch in enumerate(epochs):
        _upto(_at(field, position), epoch, _EPOCHS_MOST, "epochs")
    if any(later <= earlier for earlier, later in zip(epochs, epochs[1:], strict=False)):
        raise NotCredible(f"{field} doesn't ascend")


def _check_curves(metrics: TrainingMetrics) -> None:
    count = len(metrics.epochs)
    loss, gradient = metrics.loss, metrics.gradient
    for name in type(loss).model_fields:
        _curve(_at("loss", name), getattr(loss, name), count, _finite)
    for name in type(gradient).model_fields:
        _curve(_at("gradient", name), getattr(gradient, name), count, _size)
    for tower, norms in metrics.weight_stats.items():
        for name in type(norms).model_fields:
            _curve(_at("weight_stats", tower, name), getattr(norms, name), count, _size)
    for tower, stats in metrics.gradient_stats.items():
        at = _at("gradient_stats", tower)
        for name in type(stats).model_fields:
            check = _size if name == "std" else _finite
            _curve(f"{at}.{name}", getattr(stats, name), count, check)
        if any(low > high for low, high in zip(stats.minimum, stats.maximum, strict=True)):
            raise NotCredible(f"{at} has a minimum above its maximum")
    for name, curve in metrics.epoch_metrics.items():
        _curve(_at("epoch_metrics", name), curve, count, _check_of(name))
    best = metrics.best_epoch
    if best is not None and not 0 <= best < count:
        raise NotCredible(f"best_epoch is {_told(best)}, of {count} epochs counted from 0")
    if metrics.stopped_early and not isinstance(metrics.params.get("epochs"), int):
        raise NotCredible("it stopped early, but params.epochs doesn't say of how many epochs")


def _curve(
    field: str,
    curve: Sequence[_Number | None],
    count: int,
    check: Callable[[str, _Number], None],
) -> None:
    if len(curve) != count:
        raise NotCredible(f"{field} has {len(curve):,} values for {count:,} epochs")
    for position, value in enumerate(curve):
        if value is not None:
            check(_at(field, position), value)


def _check_claims(metrics: TrainingMetrics) -> None:
    """Check the interval and what the references' differences rest on."""
    own = _figure(metrics.interval.metric, metrics.final_metrics, "interval.metric")
    _interval("interval", metrics.interval, _check_of(metrics.interval.metric))
    _same("interval.value", metrics.interval.value, own)
    named: list[tuple[str, Baseline]] = [
        ("baseline", metrics.baseline),
        *((_at("references", i), other) for i, other in enumerate(metrics.references)),
    ]
    for field, other in named:
        _figures(_at(field, "metrics"), other.metrics)
        difference, at = other.difference, _at(field, "difference")
        own = _figure(difference.metric, metrics.final_metrics, f"{at}.metric")
        reference = _figure(difference.metric, other.metrics, f"{at}.metric")
        _interval(at, difference, _difference_of(difference.metric))
        _same(f"{at}.value", difference.value, own - reference)
    names = [other.name for _, other in named]
    if len(set(names)) < len(names):
        raise NotCredible("a reference is there twice")


def _figure(metric: str, figures: Mapping[str, float], field: str) -> float:
    if metric not in figures:
        raise NotCredible(f"{field} names {_quoted(metric)}, of which there is no figure")
    return figures[metric]


def _interval(field: str, found: Interval, check: Callable[[str, _Number], None]) -> None:
    for name in ("value", "low", "high"):
        check(_at(field, name), getattr(found, name))
    if found.low > found.high:
        raise NotCredible(
            f"{field} goes from {_told(found.low)} down to {_told(found.high)}, so it is none"
        )
    if not 0 < found.level < 1:
        raise NotCredible(f"{field}.level is {_told(found.level)}, but it is between 0 and 1")


def _same(field: str, value: float, wanted: float) -> None:
    if abs(value - wanted) > _NEAR * max(1.0, abs(wanted)):
        raise NotCredible(f"{field} is {_told(value)}, but the figures say {_told(wanted)}")


def _check_new_products(metrics: TrainingMetrics) -> None:
    new = metrics.new_products
    if new is None:
        return
    _upto("new_products.rows", new.rows, metrics.rows.test, "test rows")
    for name in ("metrics", "popularity"):
        figures: Mapping[str, float] = getattr(new, name)
        _figures(_at("new_products", name), figures)
        if "recall_at_100" not in figures:
            raise NotCredible(f"new_products.{name}.recall_at_100 is missing")


def _check_vocabularies(metrics: TrainingMetrics) -> None:
    for column, size in metrics.vocabulary_sizes.items():
        _count(_at("vocabulary_sizes", column), size)
    for column, found in metrics.vocabularies.items():
        at = _at("vocabularies", column)
        _count(f"{at}.size", found.size)
        for name in ("oov_share", "coverage", "missing_share"):
            _share(f"{at}.{name}", getattr(found, name))


def _check_index(metrics: TrainingMetrics) -> None:
    index = metrics.index
    if index is None:
        return
    for name in ("products", "top_k", "num_leaves", "leaves_to_search"):
        value: int | None = getattr(index, name)
        if value is not None:
            _count(_at("index", name), value)
        elif index.kind == "scann":
            raise NotCredible(f"index.{name} is missing")
    _share("index.recall", index.recall)
    _size("index.milliseconds", index.milliseconds)
    _size("index.brute_force_milliseconds", index.brute_force_milliseconds)


def _check_epoch(record: EpochRecord) -> None:
    _upto("epoch", record.epoch, _EPOCHS_MOST, "epochs")
    for name in ("train_loss", "val_loss", "total_loss"):
        value: float | None = getattr(record, name)
        if value is not None:
            _finite(name, value)
    for name in ("gradient_norm", "gradient_norm_query", "gradient_norm_candidate"):
        _size(name, getattr(record, name))
    _size("examples_per_second", record.examples_per_second)
    if len(record.metrics) > _NAMES_MOST or any(len(n) > _TEXT_MOST for n in record.metrics):
        raise NotCredible("metrics has too many or too long names")
    _figures("metrics", record.metrics)


def _check_progress(progress: Progress) -> None:
    _upto("epochs", progress.epochs, _EPOCHS_MOST, "epochs")
    _upto("epoch", progress.epoch, progress.epochs, "epochs")
    _count("steps", progress.steps)
    _upto("step", progress.step, progress.steps, "steps")


def _check_histograms(histograms: Histograms) -> None:
    _check_epochs("epochs", histograms.epochs)
    for tower, found in histograms.towers.items():
        at = _at("towers", tower)
        if len(found.layers) > _NAMES_MOST or any(len(n) > _TEXT_MOST for n in found.layers):
            raise NotCredible(f"{at}.layers has too many or too long names")
        _check_histogram(f"{at}.weights", found.weights, len(histograms.epochs))
        _check_histogram(f"{at}.gradients", found.gradients, len(histograms.epochs))
        for name, layer in found.layers.items():
            _check_histogram(_at(at, "layers", name), layer, len(histograms.epochs))


def _check_histogram(field: str, histogram: Histogram, epochs: int) -> None:
    edges, bins = histogram.edges, len(histogram.edges) - 1
    if bins < 1:
        raise NotCredible(f"{field}.edges has no bin")
    for position, edge in enumerate(edges):
        _finite(_at(f"{field}.edges", position), edge)
    if any(low >= high for low, high in zip(edges, edges[1:], strict=False)):
        raise NotCredible(f"{field}.edges doesn't ascend")
    if len(histogram.counts) != epochs:
        raise NotCredible(f"{field}.counts has {len(histogram.counts):,} rows for {epochs} epochs")
    for position, row in enumerate(histogram.counts):
        if len(row) != bins:
            raise NotCredible(
                f"{_at(f'{field}.counts', position)} has {len(row):,} values for {bins:,} bins"
            )
        for place, count in enumerate(row):
            _count(_at(f"{field}.counts", position, place), count)


_CHECKS: Mapping[type[BaseModel], Callable[[Any], None]] = {
    TrainingMetrics: _check_metrics,
    EpochRecord: _check_epoch,
    Progress: _check_progress,
    Histograms: _check_histograms,
}


def _figures(field: str, figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        _check_of(name)(_at(field, name), value)
    for start in (_RECALL, f"test_{_RECALL}", f"val_{_RECALL}"):
        _grow(field, {n: v for n, v in figures.items() if n.startswith(start)}, start)


def _grow(field: str, recalls: Mapping[str, float], start: str) -> None:
    """A longer list finds no less."""
    by_k = sorted((int(k), n) for n in recalls if (k := n.removeprefix(start)).isdecimal())
    for (_, shorter), (_, longer) in zip(by_k, by_k[1:], strict=False):
        if recalls[longer] < recalls[shorter] - _NEAR:
            raise NotCredible(
                f"{_at(field, longer)} is {_told(recalls[longer])}, less than"
                f" {shorter}'s {_told(recalls[shorter])}"
            )


def _check_of(metric: str) -> Callable[[str, _Number], None]:
    """Return the check of a metric's value by its name."""
    if _named(metric, _SHARES):
        return _share
    return _size if _named(metric, _ERRORS) else _finite


def _difference_of(metric: str) -> Callable[[str, _Number], None]:
    return _share_difference if _named(metric, _SHARES) else _finite


def _named(metric: str, starts: Iterable[str]) -> bool:
    bare = metric.removeprefix("val_").removeprefix("test_").removeprefix("new_")
    return bare.startswith(tuple(starts))


def _share(field: str, value: _Number) -> None:
    if not 0 <= value <= 1:
        raise NotCredible(f"{field} is {_told(value)}, but a share is between 0 and 1")


def _share_difference(field: str, value: _Number) -> None:
    if not -1 <= value <= 1:
        raise NotCredible(f"{field} is {_told(value)}, but shares differ by at most 1")


def _size(field: str, value: _Number) -> None:
    if value < 0:
        raise NotCredible(f"{field} is {_told(value)}, but it can't be below 0")
    _finite(field, value)


def _finite(field: str, value: _Number) -> None:
    if abs(value) > _FLOAT32_MOST:
        raise NotCredible(f"{field} is {_told(value)}, but no model computes such a number")


def _count(field: str, value: int) -> None:
    if value < 0:
        raise NotCredible(f"{field} is {_told(value)}, but a count can't be below 0")
    if value > _COUNT_MOST:
        raise NotCredible(f"{field} is {_told(value)}, more than can be counted here")


def _upto(field: str, value: int, most: int, what: str) -> None:
    _count(field, value)
    if value > most:
        raise NotCredible(f"{field} is {_told(value)}, of {_told(most)} {what}")


def _told(value: _Number) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 20 else f"{text[:6]}… ({len(text.lstrip('-'))} digits)"


def _quoted(name: str) -> str:
    return f'"{safe_line(name, limit=60)}"'


def _at(*parts: str | int) -> str:
    """Return a path as people write it: `loss.train[3]`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return safe_line(text, limit=200)
