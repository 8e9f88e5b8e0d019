"""`Gantt`: when each component ran, as bars under one time axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from textual.content import Content

from engine.formats import duration
from engine.snapshots import ComponentView, ExperimentDetail
from tui.components import shown_status, time_span, utc_now
from tui.look import BOLD, MUTED, STATUS_STYLE, Look
from tui.widgets.line_block import LineBlock

_HOUR: Final = 3_600
_DAY: Final = 86_400
_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * hours for hours in (1, 2, 3, 6, 12)),
)
"""Seconds between two marks of the axis; longer ones are whole days."""
_MARK_CELLS: Final = 10
"""Cells that a mark of the axis needs."""
_MARGIN: Final = 1
_SPACE: Final = 2
"""Cells between the names and the axis, and before what is written behind a bar."""

_VISIBLE: Final = 0.5
"""Cells; what took less is drawn as a thin line."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The time axis: so many cells for so many seconds, with a mark every `step_seconds`."""

    origin: datetime
    span_seconds: float
    step_seconds: int
    cells: int

    def position(self, moment: datetime) -> float:
        """Return where a moment is, in cells from the axis' left end, 0 to `cells`."""
        share = (moment - self.origin).total_seconds() / self.span_seconds
        return min(max(share, 0.0), 1.0) * self.cells

    def bar(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the first cell of a bar and its length in cells, at least one."""
        first = min(int(self.position(start)), max(self.cells - 1, 0))
        return first, max(1, round(self.position(end)) - first)

    def marks(self) -> list[tuple[int, str]]:
        """Return cell and words of each mark that fits."""
        found: list[tuple[int, str]] = []
        for seconds in range(0, int(self.span_seconds) + 1, self.step_seconds):
            cell = round(seconds / self.span_seconds * self.cells)
            words = _mark(seconds, self.step_seconds)
            if cell + len(words) <= self.cells:
                found.append((cell, words))
        return found


def scale(origin: datetime, end: datetime, cells: int) -> Scale:
    """Return the axis from one moment to another or a little more.

    It ends at a mark, so that the bars of a run at work stay where they are between two marks.
    """
    seconds = max((end - origin).total_seconds(), 1.0)
    most = max(cells // _MARK_CELLS, 1)
    step = next((step for step in _STEPS if seconds <= step * most), 0)
    if not step:
        step = _DAY * _whole_days(seconds / _DAY / most)
    return Scale(origin, float(ceil(seconds / step) * step), step, cells)


def _whole_days(least: float) -> int:
    """Return 1, 2, 5, 10, 20, … days, at least so many."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= least:
                return factor * size
        size *= 10


def _mark(seconds: int, step_seconds: int) -> str:
    if step_seconds >= _DAY:
        return f"{seconds // _DAY:,} d"
    return f"{seconds // _HOUR} h" if step_seconds >= _HOUR else duration(seconds)


class Gantt(LineBlock):
    """A bar a component, under a time axis that begins with the first component.

    Args:
        look: what the terminal can show.
        clock: tells the time, where the bar of a component at work ends.
    """

    def __init__(self, look: Look, *, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(look)
        self._clock = clock
        self._seen: ExperimentDetail | None = None
        self._selected = ""

    def show(self, seen: ExperimentDetail, selected: str) -> None:
        """Draw an experiment's components."""
        self._seen, self._selected = seen, selected
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the axis and a line for each component; nothing before the first has begun."""
        seen = self._seen
        if seen is None:
            return []
        now = self._clock()
        spans = [time_span(component, seen, now) for component in seen.components]
        known = [span for span in spans if span is not None]
        if not known:
            return []
        names = max(len(component.name) for component in seen.components)
        indent = _MARGIN + names + _SPACE
        axis = scale(
            min(start for start, _ in known),
            max(end for _, end in known),
            max(width - indent - _MARGIN, 1),
        )
        marks = Content(_spread(axis.marks()), strip_control_codes=False).stylize(MUTED)
        lines = [Content(" " * indent) + marks]
        for component, span in zip(seen.components, spans, strict=True):
            name = Content.styled(
                f"{' ' * _MARGIN}{component.name:<{names + _SPACE}}",
                BOLD if component.name == self._selected else MUTED,
            )
            lines.append(name + self._bar(component, seen, span, axis))
        return lines

    def _bar(
        self,
        component: ComponentView,
        seen: ExperimentDetail,
        span: tuple[datetime, datetime] | None,
        axis: Scale,
    ) -> Content:
        if span is None:
            return Content()
        status = shown_status(component, seen)
        style = STATUS_STYLE[status]
        first, length = axis.bar(*span)
        words = ""
        if status == "cached":
            bar, words = self.look.icon(status), "cached"
        elif status == "running":
            bar = self.look.draw("▇" * (length - 1) + "▸")
        elif axis.position(span[1]) - axis.position(span[0]) < _VISIBLE:
            bar = self.look.draw("▏")
        else:
            bar = self.look.draw("▇" * length)
        if status in ("failed", "cancelled", "lost"):
            words = status
        gap = 1 if status == "cached" else _SPACE
        drawn = _beside(bar, first, words, axis.cells, style=style, gap=gap)
        return drawn + self._fact(component, seen, axis.cells - drawn.cell_length)

    def _fact(self, component: ComponentView, seen: ExperimentDetail, room: int) -> Content:
        """Return what there is to tell about a component, right-aligned, if there is room."""
        if component.name != "Examples" or seen.rows is None:
            return Content()
        rows = seen.rows
        for words in (
            f"rows: {rows.train:,} train · {rows.eval:,} eval · {rows.test:,} test",
            f"{rows.train:,} train rows",
        ):
            if len(words) + _SPACE <= room:
                return Content.styled(self.look.draw(f"{words:>{room}}"), MUTED)
        return Content()


def _spread(marks: Sequence[tuple[int, str]]) -> str:
    line = ""
    for cell, words in marks:
        line = line.ljust(cell) + words
    return line


def _beside(bar: str, first: int, words: str, cells: int, *, style: str, gap: int) -> Content:
    """Return a bar with words behind it, or before it where there is no room behind."""
    behind = first + len(bar) + gap + len(words)
    if words and behind > cells and first - gap - len(words) >= 0:
        lead = " " * (first - gap - len(words))
        return Content.assemble(lead, (words, style), " " * gap, (bar, style))
    tail = " " * gap + words if words and behind <= cells else ""
    return Content.assemble(" " * first, (bar, style), (tail, style))
