"""What a run has measured, as a table: its result once it has one, its epochs until then.

The result stands beside the reference models on the same test rows. Only the primary metric has an
interval, so only it is said to be above or below them; a difference alone gets no colour.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.metric_names import (
    ENOUGH_TEST_ROWS,
    Standing,
    in_results,
    lower_is_better,
    metric_label,
)
from engine.metric_names import standing as of_interval
from engine.text import safe_line
from tui.look import BAD, BOLD, FAINT, GOOD, MUTED, STATUS_STYLE, Look
from tui.widgets.line_block import LineBlock

if TYPE_CHECKING:
    from engine.snapshots import BaselineView, ExperimentDetail, TrainingHistory
    from engine.spec.run_folder import Interval

_NEWEST_EPOCHS = 8
_LABEL = 10
_REFERENCES = {
    "popularity": "popularity",
    "own_history": "own history",
    "item_to_item": "co-bought",
    "bias": "bias",
}
"""Short enough for a column; `item_to_item` offers what is bought together."""
_DIFFERENCE = 15
_READABLE = (1e-3, 1e5)


def number(value: float | None, decimals: int = 3) -> str:
    """Return a figure with so many decimals, or in scientific notation when that says nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or _READABLE[0] <= abs(value) < _READABLE[1]:
        return f"{value:,.{decimals}f}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def standing(difference: "Interval") -> Standing:
    """Return how a model stands to another."""
    return of_interval(difference.metric, difference.low, difference.high)


def compared(difference: "Interval", other: str, look: Look) -> Content:
    """Return in words and colour how the model stands to another."""
    where = standing(difference)
    if where == "alike":
        return Content.styled(f"{look.draw('≈')} not distinguishable from {other}", MUTED)
    side = "above" if difference.low > 0 else "below"
    icon, style = ("▲", GOOD) if where == "better" else ("▼", BAD)
    than = f" ({where})" if lower_is_better(difference.metric) else ""
    return Content.styled(f"{look.draw(icon)} {side} {other}{than}", style)


def with_interval(interval: "Interval", look: Look) -> Content:
    """Return "Recall@100 0.2736 ±0.0180 (95% interval 0.2563 to 0.2923)"."""
    half = (interval.high - interval.low) / 2
    label = safe_line(metric_label(interval.metric), limit=40)
    return Content.assemble(
        f"{label} ",
        (number(interval.value, 4), BOLD),
        look.draw(f" ±{number(half, 4)}"),
        (
            f"  {interval.level:.0%} interval {number(interval.low, 4)}"
            f" to {number(interval.high, 4)}",
            MUTED,
        ),
    )


def result_lines(seen: "ExperimentDetail", look: Look, width: int) -> list[Content]:
    """Return the table of a run that has metrics, and what they are worth."""
    ordered = in_results(seen.primary_metric)
    names = [name for name in ordered if getattr(seen.metrics, name) is not None]
    others = _others(seen)
    lines = [_heading(others, look, width)]
    lines += [_row(seen, name, others, width) for name in names]
    lines.append(Content())
    if seen.interval is not None:
        lines += with_interval(seen.interval, look).wrap(width)
    if seen.rows is not None and seen.rows.test >= ENOUGH_TEST_ROWS:
        words = [
            compared(other.difference, _REFERENCES.get(name, name), look)
            for name, other in others
            if other.difference is not None
        ]
        lines += _flowed(words, width)
    return [*lines, Content(), *_sentences(seen.verdicts, width, look)]


def _flowed(phrases: Iterable[Content], width: int) -> list[Content]:
    """Return phrases in lines, broken between them where they can be."""
    lines: list[Content] = []
    for phrase in phrases:
        joined = lines[-1] + "   " + phrase if lines else phrase
        if lines and joined.cell_length <= width:
            lines[-1] = joined
        else:
            lines += phrase.wrap(width)
    return lines


def epoch_lines(history: "TrainingHistory", look: Look) -> list[Content]:
    """Return the newest epochs, newest first."""
    count = len(history.epochs)
    lines = [
        Content.styled(
            f"{'epoch':>5}{'train':>10}{'val':>10}{'|grad|':>10}{'examples/s':>13}", MUTED
        )
    ]
    for i in reversed(range(max(0, count - _NEWEST_EPOCHS), count)):
        cells = (
            history.loss.train[i],
            history.loss.val[i],
            history.gradient_norms.total[i],
        )
        row = f"{history.epochs[i] + 1:>5}" + "".join(f"{number(v):>10}" for v in cells)
        row += f"{number(_at(history.examples_per_second, i), 0):>13}"
        lines.append(Content.styled(look.draw(row), BOLD if i == count - 1 else ""))
    return lines


def ending_lines(
    seen: "ExperimentDetail", history: "TrainingHistory | None", look: Look, width: int
) -> list[Content]:
    """Return how a run without a result ended, and why."""
    style = STATUS_STYLE[seen.status]
    ended = history.epochs[-1] + 1 if history else 0
    when = f"after epoch {ended} of {seen.params.epochs}" if ended else "before its first epoch"
    said = {"failed": "Failed", "cancelled": "Cancelled"}.get(seen.status, "Ended")
    where = f" in {seen.error.component}" if seen.error and seen.error.component else ""
    if seen.status == "completed":
        when = "without a result"
    lines = Content.styled(f"{look.icon(seen.status)} {said}{where} {when}", style).wrap(width)
    if seen.error is not None:
        lines += Content(safe_line(seen.error.message, limit=1_000)).wrap(width)
        if seen.error.hint:
            hint = safe_line(seen.error.hint, limit=1_000)
            lines += Content.styled(hint, MUTED).wrap(width)
    return [*lines, Content(), *_sentences(seen.verdicts, width, look)]


def waiting_lines(seen: "ExperimentDetail", look: Look, width: int) -> list[Content]:
    """Return what a run does that has no epoch yet."""
    status = seen.intent or seen.status
    stage = safe_line(seen.stage or "Queued", limit=200)
    lines = [
        Content.styled(f"{look.icon(status)} Waiting for the first epoch", STATUS_STYLE[status]),
        Content.assemble(("Now  ", MUTED), stage).truncate(width, ellipsis=True),
        Content(),
    ]
    if seen.error is not None:
        lines += Content(safe_line(seen.error.message, limit=1_000)).wrap(width)
        lines += Content.styled(safe_line(seen.error.hint, limit=1_000), MUTED).wrap(width)
        lines.append(Content())
    soon = "The curves begin here when the Trainer has ended its first epoch."
    return lines + Content.styled(soon, MUTED).wrap(width)


class MetricsTable(LineBlock):
    """The result of a run, or its epochs so far and how it ended."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._seen: ExperimentDetail | None = None
        self._history: TrainingHistory | None = None
        self._place = ""

    def show(
        self, seen: "ExperimentDetail", history: "TrainingHistory | None", place: str = ""
    ) -> None:
        """Show a snapshot and the curves.

        Args:
            seen: the experiment.
            history: its curves so far.
            place: which of the panels this is, as "(1 of 4, c next)".
        """
        self._seen, self._history, self._place = seen, history, place
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return title and table."""
        seen, history = self._seen, self._history
        if seen is None:
            return [Content()]
        width = max(width, 20)
        if has_result(seen):
            title = self._title("Result") + "   " + _facts(seen)
            return [title.truncate(width, ellipsis=True), *result_lines(seen, self.look, width)]
        lines: list[Content] = []
        if seen.ended:
            lines += ending_lines(seen, history, self.look, width)
        elif history is None:
            return waiting_lines(seen, self.look, width)
        if history is None:
            return lines
        lines = [self._title("Epochs"), *lines, *epoch_lines(history, self.look)]
        if not seen.ended:
            soon = "The result comes after the last epoch."
            lines += [Content(), *Content.styled(soon, MUTED).wrap(width)]
        return lines

    def _title(self, name: str) -> Content:
        return Content.assemble((name, BOLD), (f"  {self._place}" if self._place else "", MUTED))


def has_result(seen: "ExperimentDetail") -> bool:
    """Whether the run has metrics to show in a table."""
    return getattr(seen.metrics, seen.primary_metric) is not None


def _others(seen: "ExperimentDetail") -> list[tuple[str, "BaselineView"]]:
    found = [seen.baseline] if seen.baseline else []
    return [(other.name, other) for other in (*found, *seen.references.values())]


def _heading(others: Sequence[tuple[str, "BaselineView"]], look: Look, width: int) -> Content:
    names = "".join(f"{_short(name):>{_width(i)}}" for i, (name, _) in enumerate(others))
    told = others and _fits_difference(others, width)
    difference = f"{'vs ' + _short(others[0][0]):>{_DIFFERENCE}}" if told else ""
    return Content.styled(look.draw(f"{'':{_LABEL}}{'model':>7}{names}{difference}"), MUTED)


def _width(column: int) -> int:
    return 12 if column == 0 else 13


def _fits_difference(others: Sequence[object], width: int) -> bool:
    """Whether there is room for the difference beside the columns of the references."""
    columns = sum(_width(i) for i in range(len(others)))
    return _LABEL + 7 + columns + _DIFFERENCE <= width


def _short(name: str) -> str:
    return _REFERENCES.get(name) or safe_line(name, limit=12)


def _row(
    seen: "ExperimentDetail",
    name: str,
    others: Sequence[tuple[str, "BaselineView"]],
    width: int,
) -> Content:
    value: float = getattr(seen.metrics, name)
    primary = seen.interval is not None and seen.interval.metric == name
    cells = [getattr(other, name, None) for _, other in others]
    row = Content.assemble(
        (f"{metric_label(name):{_LABEL}}", BOLD if primary else MUTED),
        (f"{number(value, 4):>7}", BOLD if primary else ""),
        *(
            (number(cell, 4).rjust(_width(i)), "")
            if cell is not None
            else ("-".rjust(_width(i)), FAINT)
            for i, cell in enumerate(cells)
        ),
    )
    if not cells or cells[0] is None or not _fits_difference(others, width):
        return row
    difference = value - cells[0]
    sign = "+" if difference >= 0 else ""
    return row + Content.styled(
        f"{sign + number(difference, 4):>{_DIFFERENCE}}", "" if primary else MUTED
    )


def _facts(seen: "ExperimentDetail") -> Content:
    parts: list[tuple[str, str, str]] = []
    if seen.rows is not None:
        parts.append(("", f"{seen.rows.test:,}", " test rows"))
    if seen.seen_in_train is not None:
        parts.append(("", f"{seen.seen_in_train.candidates:,}", " products"))
    told = [Content.assemble((a, MUTED), value, (b, MUTED)) for a, value, b in parts]
    return Content("   ").join(told)


def _sentences(sentences: Iterable[str], width: int, look: Look) -> list[Content]:
    lines: list[Content] = []
    for sentence in sentences:
        first, *rest = Content(safe_line(sentence, limit=1_000)).wrap(max(width - 2, 10))
        lines.append(Content.assemble((look.draw("· "), MUTED), first))
        lines += [Content("  ") + line for line in rest]
    return lines


def _at(values: Sequence[float], index: int) -> float | None:
    return values[index] if index < len(values) else None
