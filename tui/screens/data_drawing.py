"""Statistics of a run's data as lines: pure functions from the engine's views to `Content`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.content import Content

from engine.text import safe_line
from tui.look import ACCENT, BOLD, FAINT, MUTED, RUNNING, WARNING, Look
from tui.widgets.metrics_table import number

if TYPE_CHECKING:
    from engine.statistics import (
        DatasetStatistics,
        FeatureStatistics,
        SchemaFeature,
    )

_TYPE, _MISSING, _UNIQUE = 7, 8, 9
_LEAST_NAME, _MOST_NAME = 12, 28
_LABEL, _COUNT = 20, 18
_MUCH_MISSING = 0.5
_DOMAIN_SHOWN = 8


def summary(found: "DatasetStatistics", split: str) -> Content:
    """Return the splits with their rows, the chosen one standing out, and how many columns."""
    parts = [
        Content.assemble(
            (name, f"{BOLD} {ACCENT}" if name == split else MUTED),
            (f" {measured.rows:,} rows", "" if name == split else MUTED),
        )
        for name, measured in found.splits.items()
    ]
    count = max((len(measured.features) for measured in found.splits.values()), default=0)
    return Content("   ").join([*parts, Content.styled(f"{count} columns", MUTED)])


def name_width(features: "Sequence[FeatureStatistics]", width: int) -> int:
    """Return the cells for the names of columns: as many as they need, up to a third."""
    longest = max((Content(safe_line(f.name, limit=100)).cell_length for f in features), default=0)
    return min(max(longest + 2, _LEAST_NAME), max(width // 3, _LEAST_NAME), _MOST_NAME)


def heading(name: int) -> Content:
    """Return the names of the table's columns; the first is `name` cells wide."""
    head = f"  {'column':<{name}}{'type':<{_TYPE}}{'missing':>{_MISSING}}{'unique':>{_UNIQUE}}"
    return Content.styled(f"{head}  min / mean / max or top", MUTED)


def feature_row(feature: "FeatureStatistics", room: int, look: Look, *, chosen: bool) -> Content:
    """Return a column of the data as a row of the table, with so many cells for its name."""
    name = Content(safe_line(feature.name, limit=100)).truncate(room - 1, ellipsis=True)
    name += " " * (room - name.cell_length)
    missing = WARNING if feature.missing_share > _MUCH_MISSING else MUTED
    unique = f"{feature.categorical.unique:,}" if feature.categorical else look.draw("–")
    return Content.assemble(
        (look.draw("▌ ") if chosen else "  ", ACCENT),
        name.stylize(BOLD) if chosen else name,
        (f"{feature.type:<{_TYPE}}", MUTED),
        (f"{feature.missing_share:.1%}".rjust(_MISSING), missing),
        unique.rjust(_UNIQUE),
        ("  " + look.draw(_in_short(feature)), MUTED),
    )


def detail_lines(
    feature: "FeatureStatistics", schema: "SchemaFeature | None", width: int, look: Look
) -> Iterator[Content]:
    """Yield what is known of a column: figures, what the schema says, and its distribution."""
    name = safe_line(feature.name, limit=100)
    yield Content.assemble((name, BOLD), (f"   {feature.type}", MUTED))
    for told in (_figures(feature), _schema(schema)):
        if told:
            yield from Content.styled(look.draw(told), MUTED).wrap(max(width, 10))
    yield Content("")
    bars = list(_bars(feature))
    if not bars:
        yield Content.styled("Its distribution was not measured.", MUTED)
        return
    most = max(count for _, count, _ in bars) or 1.0
    room = max(width - _LABEL - _COUNT, 4)
    for label, count, told in bars:
        text = Content(look.draw(label)).truncate(_LABEL - 1, ellipsis=True)
        cells = max(round(count / most * room), 1 if count else 0)
        yield Content.assemble(
            text,
            " " * (_LABEL - text.cell_length),
            (look.draw("▇") * cells, RUNNING),
            (look.draw("┈") * (room - cells), FAINT),
            (told.rjust(_COUNT), MUTED),
        )


def value_text(feature: "FeatureStatistics", value: float | None) -> str:
    """Return a number of a column; an event's time as its day."""
    if value is not None and feature.type == "time":
        try:
            return datetime.fromtimestamp(value / 1e6, UTC).strftime("%Y-%m-%d")
        except (OverflowError, OSError, ValueError):
            pass
    if value is not None and feature.type == "int" and value == int(value):
        return f"{int(value):,}"
    return number(value)


def _in_short(feature: "FeatureStatistics") -> str:
    if feature.numeric is not None:
        found = (feature.numeric.minimum, feature.numeric.mean, feature.numeric.maximum)
        if feature.type == "time":
            found = found[::2]
        return " / ".join(value_text(feature, value) for value in found)
    if feature.categorical is not None and feature.categorical.top_values:
        top = feature.categorical.top_values[0]
        return f"{safe_line(top.value, limit=60) or '(empty)'} ({top.share:.0%})"
    return "–"


def _figures(feature: "FeatureStatistics") -> str:
    parts = [f"missing {feature.missing_share:.1%}"]
    if feature.values_per_row is not None and feature.values_per_row != 1:
        parts.append(f"{number(feature.values_per_row, 1)} values a row")
    numeric, categorical = feature.numeric, feature.categorical
    if numeric is not None:
        parts += [
            f"min {value_text(feature, numeric.minimum)}",
            f"median {value_text(feature, numeric.median)}",
            f"mean {value_text(feature, numeric.mean)}",
            f"max {value_text(feature, numeric.maximum)}",
        ]
        if feature.type != "time":
            parts += [f"std {number(numeric.std)}", f"zeros {numeric.zeros_share:.1%}"]
    if categorical is not None:
        parts.append(f"{categorical.unique:,} different values")
        if categorical.average_length is not None:
            parts.append(f"mean length {number(categorical.average_length, 1)}")
    return " · ".join(parts)


def _schema(schema: "SchemaFeature | None") -> str:
    if schema is None:
        return ""
    parts = ["required" if schema.required else "may be missing"]
    if schema.minimum is not None:
        parts.append(f"at least {number(schema.minimum)}")
    if schema.maximum is not None:
        parts.append(f"at most {number(schema.maximum)}")
    if schema.domain_size is not None:
        shown = ", ".join(safe_line(value, limit=30) for value in schema.domain[:_DOMAIN_SHOWN])
        more = ", …" if schema.domain_size > _DOMAIN_SHOWN else ""
        parts.append(f"one of {schema.domain_size:,}: {shown}{more}")
    return f"schema: {' · '.join(parts)}"


def _bars(feature: "FeatureStatistics") -> "Sequence[tuple[str, float, str]]":
    """Return label, count and its words for each bar."""
    if feature.numeric is not None:
        buckets = feature.numeric.histogram
        total = sum(bucket.count for bucket in buckets) or 1.0
        return [
            (
                f"{value_text(feature, b.low)} – {value_text(feature, b.high)}"
                if feature.type != "time"
                else f"from {value_text(feature, b.low)}",
                b.count,
                f"{b.count:,.0f} {b.count / total:6.1%}",
            )
            for b in buckets
        ]
    if feature.categorical is not None:
        return [
            (
                safe_line(top.value, limit=60) or "(empty)",
                top.count,
                f"{top.count:,.0f} {top.share:6.1%}",
            )
            for top in feature.categorical.top_values
        ]
    return []
