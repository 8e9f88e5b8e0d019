"""A comparison as lines and as a chart: pure functions from the engine's views."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from textual.content import Content

from engine.text import safe_line
from tui.look import ACCENT, BAD, BOLD, FAINT, GOOD, MUTED, RUNNING, WARNING, Look
from tui.widgets.line_chart import Chart, Series

if TYPE_CHECKING:
    from engine.analysis.comparison import Comparison
    from engine.analysis.table import Row
    from engine.snapshots import TrainingHistory

_GUTTER = 2
"""Cells before each column; the mark of the best value stands there."""
_LEAST_LABEL, _MOST_LABEL = 16, 28
_LEGEND = "* best   ▲ ▼ more than its uncertainty   ≈ within it"
_CURVES = ((RUNNING, "●"), (ACCENT, "○"), (WARNING, "×"), (GOOD, "+"))


def table_lines(
    found: "Comparison",
    names: Mapping[int, str],
    width: int,
    look: Look,
    *,
    only_differences: bool,
) -> Iterator[Content]:
    """Yield the table; the best of a row stands out, what is the same in all is faint.

    Args:
        found: the comparison.
        names: of the experiments by number; foreign.
        width: cells of a line.
        look: what the terminal can show.
        only_differences: whether rows that are the same in all are left out.
    """
    label = min(max(width // 6, _LEAST_LABEL), _MOST_LABEL)
    column = max((width - label) // len(found.numbers) - _GUTTER, 4)
    yield _line(Content(""), list(_heads(found, column, look)), label, column)
    called = [Content.styled(safe_line(names.get(n, ""), limit=200), MUTED) for n in found.numbers]
    yield _line(Content(""), called, label, column)
    yield Content.styled(look.draw(_LEGEND), MUTED).truncate(width, ellipsis=True)
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
        told = Content.styled(look.draw(safe_line(cell.text, limit=400)), style)
        claim = _claim(found, number, row.key, look)
        whole = told + claim
        if whole.cell_length <= column:
            cells.append([whole])
        else:
            cells.append([*told.wrap(column), *([claim] if claim.plain else [])])
    style = "" if row.differs else FAINT
    names = [Content("  ") + line for line in Content.styled(row.label, style).wrap(label - 3)]
    best = [cell.best for cell in row.cells]
    for index, (name, *shown) in enumerate(zip_longest(names, *cells, fillvalue=Content(""))):
        yield _line(name, shown, label, column, best if index == 0 else ())


def _claim(found: "Comparison", number: int, metric: str, look: Look) -> Content:
    """Return how a metric stands to the baseline's, where the test rows can tell."""
    pair = found.against_baseline(number)
    difference = next((d for d in pair.differences if d.metric == metric), None) if pair else None
    if difference is None:
        return Content("")
    if difference.outcome == "no difference":
        return Content.styled(look.draw(f"  ≈ {difference.value:+.3f}"), MUTED)
    style = _outcome_style(difference.outcome)
    icon = "▲" if style == GOOD else "▼"
    return Content.styled(look.draw(f"  {icon} {difference.value:+.3f}"), style)


def _outcome_style(outcome: str) -> str:
    return GOOD if outcome == "better" else BAD


def _heads(found: "Comparison", column: int, look: Look) -> Iterator[Content]:
    for number in found.numbers:
        head = Content.styled(f"#{number}", BOLD)
        if number == found.baseline:
            words = " ★ baseline" if head.cell_length + len(" ★ baseline") <= column else " ★ base"
            head += Content.styled(look.draw(words), ACCENT)
        yield head


def _line(
    name: Content, cells: Sequence[Content], label: int, column: int, best: Sequence[bool] = ()
) -> Content:
    whole = name.truncate(label, ellipsis=True)
    whole += " " * (label - whole.cell_length)
    for cell, marked in zip(cells, best or [False] * len(cells), strict=True):
        cut = cell.truncate(column, ellipsis=True)
        whole += Content.styled("* " if marked else "  ", f"{BOLD} {GOOD}")
        whole += cut + " " * (column - cut.cell_length)
    return whole
