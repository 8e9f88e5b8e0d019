"""A comparison as lines and as a chart: pure functions from the engine's views."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from engine.text import safe_line
from tui.look import ACCENT, BAD, BOLD, FAINT, GOOD, MUTED, RUNNING, WARNING, Look
from tui.widgets.line_chart import Chart, Series

if TYPE_CHECKING:
    from engine.analysis.comparison import Comparison
    from engine.analysis.table import Row
    from engine.snapshots import TrainingHistory

_GAP = 2
_LEAST_LABEL, _MOST_LABEL = 16, 28
_CURVES = ((RUNNING, "●"), (ACCENT, "○"), (WARNING, "×"), (GOOD, "+"))


def table_lines(
    found: "Comparison", width: int, look: Look, *, only_differences: bool
) -> Iterator[Content]:
    """Yield the table; the best of a row stands out, what is the same in all is faint."""
    label = min(max(width // 5, _LEAST_LABEL), _MOST_LABEL)
    column = max((width - label) // len(found.numbers) - _GAP, 4)
    heads = [
        Content.assemble((f"#{n}", BOLD), (look.draw(" ★ baseline") if base else "", ACCENT))
        for n in found.numbers
        for base in (n == found.baseline,)
    ]
    yield _line(Content(""), heads, label, column)
    for section in found.sections:
        rows = [row for row in section.rows if row.differs or not only_differences]
        if not rows:
            continue
        yield Content.styled(section.title, BOLD)
        for row in rows:
            yield from _row_lines(found, row, label, column, look)


def verdict_lines(found: "Comparison", width: int, look: Look) -> Iterator[Content]:
    """Yield whether each difference is larger than its uncertainty, or why nothing is claimed."""
    for pair in found.pairs:
        icon, style = "–", WARNING
        if pair.primary is not None:
            alike = pair.primary.outcome == "no difference"
            icon, style = ("≈", MUTED) if alike else ("●", _outcome_style(pair.primary.outcome))
        told = safe_line(pair.verdict, limit=1_000)
        first, *rest = Content(told).wrap(max(width - 2, 10))
        yield Content.assemble((look.draw(f"{icon} "), style), first)
        yield from (Content("  ") + line for line in rest)


def loss_chart(histories: "Mapping[int, TrainingHistory | None]") -> Chart | None:
    """Return the validation losses of experiments over each other; None without any."""
    known = {number: h for number, h in histories.items() if h is not None}
    epochs = sorted({epoch for history in known.values() for epoch in history.epochs})
    if not epochs:
        return None
    series: list[Series] = []
    for (number, history), (style, point) in zip(known.items(), _CURVES, strict=False):
        values = dict(zip(history.epochs, history.loss.val, strict=False))
        series.append(Series(f"#{number}", style, point, tuple(values.get(e) for e in epochs)))
    return Chart(
        xs=tuple(float(epoch + 1) for epoch in epochs),
        series=tuple(reversed(series)),
        x_name="epoch",
    )


def _row_lines(
    found: "Comparison", row: "Row", label: int, column: int, look: Look
) -> Iterator[Content]:
    cells: list[list[Content]] = []
    for number, cell in zip(found.numbers, row.cells, strict=True):
        style = f"{BOLD} {GOOD}" if cell.best else ("" if row.differs else FAINT)
        mark = " *" if cell.best else ""
        told = Content.styled(look.draw(safe_line(cell.text, limit=400)) + mark, style)
        claim = _claim(found, number, row.key, look)
        whole = told + claim
        if whole.cell_length <= column:
            cells.append([whole])
        else:
            cells.append([*told.wrap(column), *([claim] if claim.plain else [])])
    name = Content.styled(f"  {row.label}", "" if row.differs else FAINT)
    for index in range(max(len(lines) for lines in cells)):
        shown = [lines[index] if index < len(lines) else Content("") for lines in cells]
        yield _line(name if index == 0 else Content(""), shown, label, column)


def _claim(found: "Comparison", number: int, metric: str, look: Look) -> Content:
    """Return how a metric stands to the baseline's, where the test rows can tell."""
    pair = found.against_baseline(number)
    difference = next((d for d in pair.differences if d.metric == metric), None) if pair else None
    if difference is None:
        return Content("")
    if difference.outcome == "no difference":
        return Content.styled(look.draw(f"  {difference.value:+.3f} ≈"), MUTED)
    style = _outcome_style(difference.outcome)
    icon = "▲" if style == GOOD else "▼"
    return Content.styled(look.draw(f"  {icon} {difference.value:+.3f} ●"), style)


def _outcome_style(outcome: str) -> str:
    return GOOD if outcome == "better" else BAD


def _line(name: Content, cells: "list[Content]", label: int, column: int) -> Content:
    whole = name.truncate(label - 1, ellipsis=True)
    whole += " " * (label - whole.cell_length)
    for cell in cells:
        cut = cell.truncate(column, ellipsis=True)
        whole += cut + " " * (column + _GAP - cut.cell_length)
    return whole
