"""The table of a comparison: sections of rows, a cell for each experiment."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.analysis.candidate import Candidate, split_text
from engine.formats import duration, figure
from engine.metric_names import (
    ENOUGH_TEST_ROWS,
    LOSS,
    in_results,
    lower_is_better,
    metric_label,
    reference_label,
)
from engine.previews import tower_features, tower_preview
from engine.spec import Cross, Feature, FeatureConfig, Frozen, Tower
from engine.spec.run_folder import TrainingMetrics

_NONE = "–"


class Cell(Frozen):
    """A value of one experiment: as text, and as a number where it is one.

    `best` marks the best of a row whose values can be ranked.
    """

    text: str
    value: float | None = None
    best: bool = False


class Row(Frozen):
    """A line of the table; `differs` where not all experiments have the same value."""

    key: str
    label: str
    cells: tuple[Cell, ...]
    differs: bool


class Section(Frozen):
    """Rows about one thing: the result, dataset, features, model or training."""

    title: str
    rows: tuple[Row, ...]


_Text = Callable[[Candidate], str]


def sections(candidates: Sequence[Candidate]) -> tuple[Section, ...]:
    """Return the whole table."""

    def section(title: str, rows: Iterable[tuple[str, str, _Text]]) -> Section:
        made = (_row(key, label, [Cell(text=of(c)) for c in candidates]) for key, label, of in rows)
        return Section(title=title, rows=tuple(made))

    return (
        Section(title="Result", rows=tuple(_results(candidates))),
        section("Dataset", _DATASET),
        section("Features", _FEATURES),
        section("Model", _MODEL),
        section("Training", _TRAINING),
    )


def _row(key: str, label: str, cells: Sequence[Cell]) -> Row:
    return Row(
        key=key,
        label=label,
        cells=tuple(cells),
        differs=len({cell.text for cell in cells}) > 1,
    )


def _results(candidates: Sequence[Candidate]) -> Iterator[Row]:
    for metric in in_results(candidates[0].primary_metric):
        values = [c.metrics.figures.get(metric) for c in candidates]
        if any(value is not None for value in values):
            shown = [_metric_text(c, metric) for c in candidates]
            cells = _ranked(shown, values, lowest=lower_is_better(metric))
            if metric == LOSS:  # losses of different models are of different things
                cells = [cell.replace(best=False) for cell in cells]
            yield _row(metric, metric_label(metric), cells)
    lifts = [_lift(c.metrics) for c in candidates]
    yield _row(
        "over_baseline", "better than its baseline by", _ranked(*_texts_and_values(lifts), None)
    )
    seconds = [c.detail.duration_seconds for c in candidates]
    yield _row("took", "took", _ranked([duration(s) for s in seconds], seconds, lowest=True))


def _metric_text(candidate: Candidate, metric: str) -> str:
    value, interval = candidate.metrics.figures.get(metric), candidate.metrics.interval
    if value is None or interval.metric != metric:
        return figure(value)
    return f"{figure(value)} ±{figure((interval.high - interval.low) / 2)}"


def _lift(metrics: TrainingMetrics) -> tuple[str, float | None]:
    """Return by how much a result is better than its baseline's, relative to that."""
    if metrics.rows.test < ENOUGH_TEST_ROWS:
        return _NONE, None
    baseline = metrics.baseline
    difference = baseline.difference
    reference = baseline.metrics.get(difference.metric)
    if not reference:
        return _NONE, None
    sign = -1 if lower_is_better(difference.metric) else 1
    low, high = sorted(sign * bound / reference for bound in (difference.low, difference.high))
    value = sign * difference.value / reference
    name = reference_label(baseline.name)
    return f"{value:+.0%} ({low:+.0%} to {high:+.0%}, {name})", value


def _texts_and_values(
    pairs: Sequence[tuple[str, float | None]],
) -> tuple[list[str], list[float | None]]:
    return [text for text, _ in pairs], [value for _, value in pairs]


def _ranked(
    texts: Sequence[str], values: Sequence[float | None], lowest: bool | None
) -> list[Cell]:
    """Return cells whose best is marked, where values differ; the highest unless `lowest`."""
    known = [value for value in values if value is not None]
    best = (min if lowest else max)(known) if len(set(known)) > 1 else None
    return [
        Cell(text=text, value=value, best=value is not None and value == best)
        for text, value in zip(texts, values, strict=True)
    ]


def _tables(candidate: Candidate) -> str:
    dataset = candidate.definitions["dataset"]
    joins: list[Mapping[str, Any]] = dataset.get("joins", [])
    return " + ".join([str(dataset["primary"]), *(str(join["table"]) for join in joins)])


def _filters(candidate: Candidate) -> str:
    filters: list[Mapping[str, Any]] = candidate.definitions["dataset"].get("filters", [])
    return "; ".join(_filter(f) for f in filters) or "none"


def _filter(written: Mapping[str, Any]) -> str:
    parts = (f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in written.items())
    return ", ".join(parts)


def _rows_of_splits(candidate: Candidate) -> str:
    rows = candidate.metrics.rows
    return f"{rows.train:,} / {rows.eval:,} / {rows.test:,}"


def _sample(candidate: Candidate) -> str:
    params = candidate.spec.params
    return f"{params.sample_percent:g}% by {params.sample_by}"


def _features(of: Callable[[FeatureConfig], tuple[Feature | Cross, ...]], width: str) -> _Text:
    def text(candidate: Candidate) -> str:
        config = candidate.spec.features
        features = of(config)
        names = ", ".join(f"{f.column} ({f.tensor_dim})" for f in features)
        return f"{len(features)}, {getattr(config, width)} dims: {names}"

    return text


def _buyer_tower(candidate: Candidate) -> str:
    return _tower(candidate, candidate.spec.model.buyer_tower, candidate.spec.features.buyer_inputs)


def _product_tower(candidate: Candidate) -> str:
    return _tower(
        candidate, candidate.spec.model.product_tower, candidate.spec.features.product_inputs
    )


def _tower(candidate: Candidate, tower: Tower, features: tuple[Feature | Cross, ...]) -> str:
    output_dim, sizes = candidate.spec.model.output_dim, candidate.metrics.vocabulary_sizes
    structure = tower.structure(output_dim)
    if any("embed" in f.transforms and f.column not in sizes for f in features):
        return structure
    preview = tower_preview(tower, output_dim, tower_features(features, sizes))
    return f"{structure}, {preview.parameters:,} weights"


def _retrieval(candidate: Candidate) -> str:
    if candidate.model_type == "ranking":
        return _NONE
    settings = candidate.spec.model.retrieval.model_dump(exclude_defaults=True)
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in settings.items()) or "default"


def _epochs(candidate: Candidate) -> str:
    trained, planned = len(candidate.metrics.epochs), candidate.spec.params.epochs
    return f"{trained} of {planned}" if trained < planned else f"{planned}"


def _optimizer(candidate: Candidate) -> str:
    model = candidate.spec.model
    return f"{model.optimizer}, row by row" if model.row_wise else model.optimizer


_DATASET: tuple[tuple[str, str, _Text], ...] = (
    ("dataset", "dataset", lambda c: c.detail.dataset),
    ("tables", "tables", _tables),
    ("filters", "filters", _filters),
    ("split", "split", lambda c: split_text(c.spec.params.split)),
    ("sample", "sample", _sample),
    ("rows", "train / eval / test rows", _rows_of_splits),
    ("candidates", "products to rank", lambda c: f"{c.metrics.candidates:,}"),
)
_FEATURES: tuple[tuple[str, str, _Text], ...] = (
    ("feature_config", "feature config", lambda c: c.detail.feature_config),
    ("buyer_features", "buyer features", _features(lambda f: f.buyer_inputs, "buyer_dim")),
    ("product_features", "product features", _features(lambda f: f.product_inputs, "product_dim")),
    ("target", "target", lambda c: str(c.spec.features.target or _NONE)),
)
_MODEL: tuple[tuple[str, str, _Text], ...] = (
    ("model_config", "model config", lambda c: c.detail.model_config_name),
    ("model_type", "model type", lambda c: c.model_type),
    ("buyer_tower", "buyer tower", _buyer_tower),
    ("product_tower", "product tower", _product_tower),
    ("retrieval", "retrieval", _retrieval),
)
_TRAINING: tuple[tuple[str, str, _Text], ...] = (
    ("epochs", "epochs", _epochs),
    ("batch_size", "batch size", lambda c: f"{c.spec.params.batch_size}"),
    ("learning_rate", "learning rate", lambda c: f"{c.spec.params.learning_rate:g}"),
    ("optimizer", "optimizer", _optimizer),
    ("seed", "seed", lambda c: f"{c.spec.params.seed}"),
    ("backend", "backend", lambda c: c.spec.backend),
)
