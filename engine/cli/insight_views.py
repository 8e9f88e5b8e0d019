"""What commands print about data, weights and gradients."""

import math
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.output import clipped, encodable, foreign, indented, table
from engine.report.wording import moment, number, percent
from engine.snapshots import TrainingHistory
from engine.spec.run_folder import Histogram, Histograms
from engine.statistics import DatasetStatistics, FeatureStatistics, SchemaFeature, SplitStatistics

TOWER_NAMES = {"query": "buyer", "candidate": "product", "rating": "rating head"}
_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_TOP = 3
"""Frequent values that are named."""


def statistics_view(found: DatasetStatistics, *, to: Console) -> Group:
    """Return a row a column for each split, with what the schema says of it."""
    expected = {feature.name: feature for feature in found.schema_features}
    parts: list[RenderableType] = []
    for split, measured in found.splits.items():
        parts += [Text(f"{split}: {measured.rows:,} rows", "bold")]
        parts += [indented(_features(measured, expected, to=to)), Text()]
    return Group(*parts[:-1])


def histograms_view(found: Histograms, *, to: Console) -> Group:
    """Return a sparkline an epoch for the weights and the gradients of each tower."""
    parts: list[RenderableType] = []
    for tower, histograms in found.towers.items():
        for what, histogram in (
            ("weights", histograms.weights),
            ("gradients", histograms.gradients),
        ):
            parts += [_ridges(f"{TOWER_NAMES[tower]} {what}", histogram, found.epochs, to), Text()]
    return Group(*parts[:-1])


def weights_table(history: TrainingHistory) -> Group:
    """Return a row an epoch for each tower: norms of its weights, moments of its gradient."""
    parts: list[RenderableType] = []
    headings = ("Epoch", "Weights L1", "L2", "Gradient mean", "deviation", "least", "greatest")
    for tower, stats in history.gradient_stats.items():
        made = table(headings, right=headings)
        norms = history.weight_stats.get(tower)
        for i, epoch in enumerate(history.epochs):
            weights = (norms.l1[i], norms.l2[i]) if norms else (None, None)
            moments = (stats.mean[i], stats.std[i], stats.minimum[i], stats.maximum[i])
            made.add_row(str(epoch + 1), *(number(value) for value in (*weights, *moments)))
        parts += [Text(), Text(TOWER_NAMES[tower], "bold"), made]
    return Group(*parts)


def vocabularies_table(history: TrainingHistory) -> Group:
    """Return a row an embedded column: what train knows of it, and how much eval and test do."""
    headings = ("Vocabulary", "Values", "OOV", "Coverage", "Missing")
    made = table(headings, right=headings[1:], shrink=headings[:1])
    for name, found in history.vocabularies.items():
        shares = (found.oov_share, found.coverage, found.missing_share)
        made.add_row(clipped(name), f"{found.size:,}", *(percent(share) for share in shares))
    return Group(Text(), made)


def sparkline(counts: Sequence[float], *, to: Console) -> str:
    """Return counts as one character each, the highest full; what isn't 0 never looks empty."""
    marks = _BLOCKS if encodable(_BLOCKS, to.encoding) else _ASCII
    highest = max(counts, default=0) or 1
    steps = len(marks) - 1
    return "".join(marks[math.ceil(count * steps / highest)] for count in counts)


def _features(
    measured: SplitStatistics, expected: dict[str, SchemaFeature], *, to: Console
) -> Table:
    headings = ("Column", "Type", "Missing", "Distribution", "Values", "Schema")
    made = table(headings, right=("Missing",), shrink=("Column", "Values"))
    for feature in measured.features:
        made.add_row(
            clipped(feature.name),
            feature.type,
            percent(feature.missing_share),
            _distribution(feature, to=to),
            clipped(_values(feature)),
            _schema(expected.get(feature.name)),
        )
    return made


def _distribution(feature: FeatureStatistics, *, to: Console) -> str:
    if feature.numeric is not None:
        return sparkline([bucket.count for bucket in feature.numeric.histogram], to=to)
    if feature.categorical is not None:
        return sparkline([top.count for top in feature.categorical.top_values[:10]], to=to)
    return ""


def _values(feature: FeatureStatistics) -> str:
    if (n := feature.numeric) is not None:
        read = moment if feature.type == "time" else number
        return f"{read(n.minimum)} to {read(n.maximum)}, median {read(n.median)}"
    if (c := feature.categorical) is not None:
        top = ", ".join(f"{t.value} {percent(t.share)}" for t in c.top_values[:_TOP])
        return f"{c.unique:,} distinct: {top}" if top else f"{c.unique:,} distinct"
    return ""


def _schema(feature: SchemaFeature | None) -> str:
    if feature is None:
        return "not in the schema"
    presence = "required" if feature.required else "optional"
    return presence if feature.domain_size is None else f"{presence}, {feature.domain_size} values"


def _ridges(title: str, histogram: Histogram, epochs: Iterable[int], to: Console) -> Group:
    low, high = number(histogram.edges[0]), number(histogram.edges[-1])
    lines: list[RenderableType] = [Text.assemble((title, "bold"), f"  {low} to {high}")]
    for epoch, counts in zip(epochs, histogram.counts, strict=True):
        lines.append(foreign(f"{epoch + 1:>5} |{sparkline(counts, to=to)}|"))
    return Group(*lines)
