"""A page of HTML in one piece on one experiment: result, curves, statistics, schema.

TFDV's own page loads scripts from elsewhere and shows nothing without them. This one refers to
nothing, so it can be mailed, archived and opened anywhere. Everything foreign on it passes
`safe_line` and jinja2's escaping.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from engine.formats import duration, figure
from engine.metric_names import in_results, metric_label, reference_label
from engine.report.charts import Bar, Chart, bars, curves
from engine.report.wording import moment, number, percent
from engine.snapshots import BaselineView, ExperimentDetail, TrainingHistory
from engine.statistics import DatasetStatistics, FeatureStatistics
from engine.text import safe_line

_TOP_VALUES = 10
_VALUE_LIMIT = 60
_TOWERS = {"query": "buyer tower", "candidate": "product tower", "rating": "rating head"}


def render_report(
    seen: ExperimentDetail, statistics: DatasetStatistics, history: TrainingHistory | None
) -> str:
    """Return the page.

    Args:
        seen: the experiment.
        statistics: of its examples.
        history: its training curves, once it has any.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("engine.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        one_line=safe_line,
        number=number,
        percent=percent,
        moment=moment,
        duration=duration,
        figure=partial(figure, decimals=4),
        label=metric_label,
    )
    return environment.get_template("report.html.jinja").render(
        seen=seen,
        title=seen.name or f"{seen.feature_config} · {seen.model_config_name}",
        result=_result(seen),
        references=[reference_label(other.name) for other in _references(seen)],
        charts=_charts(history) if history else [],
        vocabularies=history.vocabularies if history else {},
        splits=statistics.splits,
        schema=statistics.schema_features,
        distribution=_distribution,
        made_at=datetime.now(UTC),
    )


def _references(seen: ExperimentDetail) -> list[BaselineView]:
    return [*([seen.baseline] if seen.baseline else []), *seen.references.values()]


def _result(seen: ExperimentDetail) -> list[dict[str, Any]]:
    """Return a row a metric: its name, the model's figure and those of the references."""
    names = in_results(seen.primary_metric)
    metrics = {name: getattr(seen.metrics, name) for name in names}
    return [
        {
            "name": name,
            "value": value,
            "others": [getattr(other, name, None) for other in _references(seen)],
            "interval": seen.interval if seen.interval and seen.interval.metric == name else None,
        }
        for name, value in metrics.items()
        if value is not None
    ]


def _charts(history: TrainingHistory) -> list[Chart]:
    """Return the curves that this history has."""
    epochs = [epoch + 1 for epoch in history.epochs]
    norms, loss = history.gradient_norms, history.loss
    made = [
        curves("Loss", epochs, {"train": loss.train, "eval": loss.val, "total": loss.total}),
        curves(
            "Gradient norm",
            epochs,
            {"total": norms.total, "buyer": norms.query, "product": norms.candidate},
        ),
        *(
            curves(metric_label(name), epochs, {metric_label(name): values})
            for name, values in history.epoch_metrics.items()
        ),
    ]
    if history.weight_stats:
        weights = {_TOWERS[tower]: stats.l2 for tower, stats in history.weight_stats.items()}
        made.append(curves("Weight norm (L2)", epochs, weights))
    return made


def _distribution(feature: FeatureStatistics) -> list[Bar]:
    """Return the bars of a feature: buckets of a number, frequent values of a text."""
    if feature.numeric is not None:
        return bars(
            (bucket.count, f"{_value(bucket.low, feature)} to {_value(bucket.high, feature)}")
            for bucket in feature.numeric.histogram
        )
    if feature.categorical is not None:
        top = feature.categorical.top_values[:_TOP_VALUES]
        return bars((value.count, safe_line(value.value, limit=_VALUE_LIMIT)) for value in top)
    return []


def _value(value: float, feature: FeatureStatistics) -> str:
    return moment(value) if feature.type == "time" else number(value)
