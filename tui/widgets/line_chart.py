"""`LineChart`: curves drawn by plotext, in the app's colours, rebuilt only when they change.

plotext takes milliseconds for a picture, so it is kept until the curves or the size change; moving
the read-out line touches two columns of it. plotext is given numbers instead of colours, which
become styles here: so the picture fits every theme, the one of 16 colours too. It never sees values
either, only shares of the axes (`plot_scale`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from rich.text import Text
from textual.content import Content, Span
from textual.geometry import Region
from textual.widget import Widget
from textual_plotext import PlotextPlot
from textual_plotext.plot import Plot

from tui.look import FAINT, MUTED, Look
from tui.widgets.plot_scale import Point, Scale, position, scale_of, spread, thinned, whole_ticks

_COLUMNS_A_POINT = 6
"""Markers are no nearer to each other, or they would hide the line."""
_COLUMNS_A_TICK = 6
_ROWS_A_TICK = 3
_SMALLEST = (16, 4)
"""Columns and rows that a picture needs at least."""


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        name: in the legend.
        style: its colour.
        point: a character that tells it from the others without colour.
        values: one for each x of the chart; None is a gap.
    """

    name: str
    style: str
    point: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A dotted horizontal line with its name at the right end."""

    name: str
    style: str
    value: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A vertical line from one value to another, as of an interval."""

    x: float
    low: float
    high: float
    style: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What a `LineChart` shows.

    Attributes:
        xs: ascending.
        series: the curves, the most important one last, since it is drawn over the others.
        x_name: at the axis.
        x_last: where the axis ends when that is beyond the last x.
        x_ticks: positions and their texts; whole numbers where the axis has room when empty.
        baseline: drawn below the curves.
        bars: drawn below the curves.
        log: whether the value axis is logarithmic where it can be.
        from_zero: whether the value axis includes 0.
    """

    xs: tuple[float, ...]
    series: tuple[Series, ...]
    x_name: str = ""
    x_last: float | None = None
    x_ticks: tuple[tuple[float, str], ...] = ()
    baseline: Baseline | None = None
    bars: tuple[Bar, ...] = ()
    log: bool = False
    from_zero: bool = False

    @property
    def values(self) -> list[float]:
        """All values that are numbers."""
        curves = [v for s in self.series for v in s.values]
        bars = [v for bar in self.bars for v in (bar.low, bar.high)]
        line = [self.baseline.value] if self.baseline else []
        return [v for v in (*curves, *bars, *line) if v is not None and math.isfinite(v)]

    @property
    def is_log(self) -> bool:
        """Whether the value axis is logarithmic: it is wanted and all values are positive."""
        return self.log and min(self.values, default=0) > 0

    @property
    def x_range(self) -> tuple[float, float]:
        """The ends of the x axis."""
        return self.xs[0], max(self.xs[-1], self.x_last or self.xs[-1])


def legend(series: Iterable[Series], look: Look) -> Content:
    """Return the names of curves and how their points look, to stand in a title."""
    parts = [Content.assemble((f"{s.name} ", MUTED), (look.draw(s.point), s.style)) for s in series]
    return Content("  ").join(parts)


class LineChart(PlotextPlot):
    """Draws a `Chart`, or a text while there is none.

    Args:
        look: what the terminal can show.
        id: of the widget.
    """

    DEFAULT_CSS: ClassVar[str] = "LineChart { text-wrap: nowrap; text-overflow: clip; }"

    def __init__(self, look: Look, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.theme = "textual-clear"  # the terminal's own colours; ours come afterwards
        self.look = look
        self.built = 0
        """How many pictures were made."""
        self._chart: Chart | None = None
        self._note = Content()
        self._marked: float | None = None
        self._picture: tuple[tuple[int, int], _Picture] | None = None

    def show(self, chart: Chart | None, note: Content | None = None) -> None:
        """Show a chart, or the text when there is none or it has no values."""
        chart = chart if chart is not None and chart.values else None
        note = Content() if note is None else note
        if chart == self._chart and (chart or note.plain == self._note.plain):
            return
        self._chart, self._note, self._picture = chart, note, None
        self.refresh()

    def mark(self, x: float | None) -> None:
        """Draw a vertical line at an x, or none."""
        if x == self._marked:
            return
        before, self._marked = self._marked_column(), x
        columns = {before, self._marked_column()} - {None}
        if columns:
            self.refresh(*(Region(c, 0, 1, self.size.height) for c in columns if c is not None))

    def render(self) -> Content:
        """Return the picture."""
        width, height = self.size
        if self._chart is None:
            return Content("\n").join(self._note.wrap(max(width, 1)))
        if width < _SMALLEST[0] or height < _SMALLEST[1]:
            return Content(self.look.draw("…"))
        return self._drawn(self._chart).marked(self._marked_column())

    def notify_style_update(self) -> None:
        """Draw in the new colours; the picture itself stays."""
        Widget.notify_style_update(self)

    def _marked_column(self) -> int | None:
        if self._marked is None or self._picture is None or self._chart is None:
            return None
        picture = self._picture[1]
        return picture.left + _cell(position(self._marked, *self._chart.x_range), picture.columns)

    def _drawn(self, chart: Chart) -> "_Picture":
        width, height = self.size
        if self._picture is None or self._picture[0] != (width, height):
            self._picture = ((width, height), self._build(chart, width, height))
        return self._picture[1]

    def _build(self, chart: Chart, width: int, height: int) -> "_Picture":
        self.built += 1
        scale = scale_of(chart.values, log=chart.is_log, from_zero=chart.from_zero)
        ticks = scale.ticks(max(2, (height - 2) // _ROWS_A_TICK))
        margin = max(len(chart.x_name), *(len(text) for _, text in ticks), 0)
        columns, rows = width - margin - 1, height - 2
        plt = self.plt
        plt.clear_figure()
        plt.xlim(0, 1)
        plt.ylim(0, 1)
        plt.xaxes(True, False)  # noqa: FBT003 - lower and upper; plotext's own signature
        plt.yaxes(True, False)  # noqa: FBT003 - left and right
        plt.yticks([share for share, _ in ticks], [text.rjust(margin) for _, text in ticks])
        plt.xticks(*_x_ticks(chart, columns))
        pen = _Pen(plt, self.look, chart, scale, columns, rows)
        pen.draw()
        built = super().render()
        text = built if isinstance(built, Text) else Text()
        return _Picture.of(text, pen.styles, self.look, margin + 1, columns, chart.x_name)


class _Pen:
    """Hands the parts of a chart to plotext, each in a colour number of its own."""

    def __init__(
        self, plt: Plot, look: Look, chart: Chart, scale: Scale, columns: int, rows: int
    ) -> None:
        self.styles: list[str] = []
        self._plt = plt
        self._look = look
        self._chart = chart
        self._scale = scale
        self._columns = columns
        self._rows = rows

    def draw(self) -> None:
        chart = self._chart
        if chart.baseline is not None:
            self._baseline(chart.baseline)
        for bar in chart.bars:
            self._bar(bar)
        curves = [(s, self._points(s)) for s in chart.series]
        for series, points in curves:
            self._curve(series, points)
        for series, points in curves:
            self._markers(series, points)

    def _color(self, style: str) -> int:
        if style not in self.styles:
            self.styles.append(style)
        return self.styles.index(style)

    def _points(self, series: Series) -> list[Point]:
        xs = (position(x, *self._chart.x_range) for x in self._chart.xs)
        points = [
            (x, self._scale.share(y) if y is not None and math.isfinite(y) else None)
            for x, y in zip(xs, series.values, strict=False)
        ]
        return thinned(points, self._columns)

    def _curve(self, series: Series, points: Sequence[Point]) -> None:
        marker = "." if self._look.ascii else "braille"
        for known, run in groupby(points, key=lambda point: point[1] is not None):
            part = list(run)
            if known and len(part) > 1:
                x, y = [p[0] for p in part], [p[1] for p in part]
                self._plt.plot(x, y, marker=marker, color=self._color(series.style))

    def _markers(self, series: Series, points: Sequence[Point]) -> None:
        """Mark all points of a short curve, some of a long one, and those that stand alone."""
        known = [i for i, (_, y) in enumerate(points) if y is not None]
        alone = {i for i in known if not {i - 1, i + 1} & set(known)} if len(known) < 500 else set()
        chosen = {known[i] for i in spread(len(known), self._columns // _COLUMNS_A_POINT)} | alone
        at = [points[i] for i in sorted(chosen)]
        self._plt.scatter(
            [x for x, _ in at],
            [y for _, y in at],
            marker=self._look.draw(series.point),
            color=self._color(series.style),
        )

    def _baseline(self, baseline: Baseline) -> None:
        y = self._scale.share(baseline.value)
        color = self._color(baseline.style)
        x = [column / max(self._columns - 1, 1) for column in range(self._columns)]
        self._plt.scatter(x, [y] * len(x), marker=self._look.draw("┈"), color=color)
        row = 1 / max(self._rows - 1, 1)
        above = y + row <= 1
        self._plt.text(
            baseline.name, 1, y + row if above else y - row, color=color, alignment="right"
        )

    def _bar(self, bar: Bar) -> None:
        x = position(bar.x, *self._chart.x_range)
        low, high = (_cell(self._scale.share(v), self._rows) for v in (bar.low, bar.high))
        y = [row / max(self._rows - 1, 1) for row in range(low, high + 1)]
        marker = self._look.draw("│")
        self._plt.scatter([x] * len(y), y, marker=marker, color=self._color(bar.style))


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture line by line; `left` cells before the canvas, which is `columns` wide."""

    lines: tuple[tuple[str, tuple[Span, ...]], ...]
    left: int
    columns: int
    mark: str

    @classmethod
    def of(
        cls, text: Text, styles: Sequence[str], look: Look, left: int, columns: int, x_name: str
    ) -> "_Picture":
        drawn = text.split("\n")
        lines: list[tuple[str, tuple[Span, ...]]] = [
            (look.draw(line.plain), (Span(0, left, MUTED), *_spans(line, styles)))
            for line in drawn[:-2]
        ]
        for line in drawn[-2:]:
            plain = look.draw(line.plain)
            lines.append((plain, (Span(0, len(plain), MUTED),)))
        if lines and not lines[-1][0][: len(x_name)].strip():
            plain, spans = lines[-1]
            lines[-1] = (x_name + plain[len(x_name) :], spans)
        return cls(tuple(lines), left, columns, look.draw("│"))

    def marked(self, column: int | None) -> Content:
        """Return it with a vertical line through the blank cells of a column."""
        foot = len(self.lines) - 2
        return Content("\n").join(
            self._line(plain, spans, column if y < foot else None)
            for y, (plain, spans) in enumerate(self.lines)
        )

    def _line(self, plain: str, spans: tuple[Span, ...], column: int | None) -> Content:
        if column is None or plain[column : column + 1] != " ":
            return Content(plain, list(spans))
        crossed = plain[:column] + self.mark + plain[column + 1 :]
        return Content(crossed, [*spans, Span(column, column + 1, FAINT)])


def _spans(line: Text, styles: Sequence[str]) -> Iterable[Span]:
    for start, end, style in line.spans:
        color = None if isinstance(style, str) else style.color
        if color is not None and color.number is not None and color.number < len(styles):
            yield Span(start, end, styles[color.number])


def _x_ticks(chart: Chart, columns: int) -> tuple[list[float], list[str]]:
    first, last = chart.x_range
    ticks = list(chart.x_ticks) or [
        (float(tick), str(tick))
        for tick in whole_ticks(math.ceil(first), math.floor(last), columns // _COLUMNS_A_TICK)
    ]
    return [position(x, first, last) for x, _ in ticks], [text for _, text in ticks]


def _cell(share: float, cells: int) -> int:
    """Return the cell in which plotext draws a share of an axis."""
    return math.floor(0.5 + (cells - 1) * share)
