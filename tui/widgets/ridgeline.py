"""`Ridgeline`: how a histogram moved from epoch to epoch, one ridge before the other.

The newest epoch stands in front. Outlines are drawn in braille dots, from front to back, and what
a nearer ridge covers is left out (a floating horizon); the ridges are filled with a tint of their
colour. Terminals of 16 colours have no tints, so there are outlines alone; without braille dots
each epoch is a row of characters, the denser the heavier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from textual.content import Content

from tui.look import ACCENT, BOLD, FAINT, MUTED, RUNNING, Look
from tui.widgets.line_block import LineBlock
from tui.widgets.plot_scale import Scale, spread

if TYPE_CHECKING:
    from engine.spec.run_folder import Histogram

_DOTS_WIDE, _DOTS_HIGH = 2, 4
"""Dots of a braille character."""
_DOT_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
_OVERLAP = 3
"""How many times the distance of two ridges the highest one is high."""
_TAIL = 0.01
"""Share of the highest density below which the ends of a ridge are left out."""
_RAMP = " .:-=+*#%@"
_FAINTEST, _FAINTEST_FILL, _FULL_FILL = 45, 5, 14
"""Percent of the colour of the oldest outline, of its fill, and of the newest one's fill."""
_COLUMNS_A_TICK = 12
_FEWEST = 3
"""Ridges that are drawn at least, where there are as many: first, last, and one that is read."""
_WIDE = 1.5
"""Outermost bins that are wider than so many others aren't drawn."""
_SMALLEST: Final = (24, 5)
"""Columns and rows that a picture needs at least."""


@dataclass(frozen=True, slots=True)
class Ridges:
    """What a `Ridgeline` shows.

    Attributes:
        epochs: as people count them; one for each row of the histogram.
        histogram: counts by epoch and bin.
    """

    epochs: tuple[int, ...]
    histogram: "Histogram"


def span_of(histogram: "Histogram") -> tuple[float, float]:
    """Return the values between which a histogram is drawn.

    The outermost bins are left out where they are wider than the others: they hold what is far
    away, less than a hundredth of all.
    """
    edges = histogram.edges
    first, last = 0, len(edges) - 1
    if last > _FEWEST:
        usual = edges[2] - edges[1]
        first += edges[1] - edges[0] > _WIDE * usual
        last -= edges[-1] - edges[-2] > _WIDE * usual
    return edges[first], edges[last]


def quantile(histogram: "Histogram", row: int, share: float) -> float:
    """Return the value below which so much of an epoch's elements are, as even within bins."""
    counts, edges = histogram.counts[row], histogram.edges
    wanted = share * sum(counts)
    for count, (low, high) in zip(counts, pairwise(edges), strict=True):
        if count and wanted <= count:
            return low + (high - low) * wanted / count
        wanted -= count
    return edges[-1]


class Ridgeline(LineBlock):
    """Draws `Ridges`, or a text while there are none."""

    DEFAULT_CSS: ClassVar[str] = "Ridgeline { height: 1fr; }"

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._ridges: Ridges | None = None
        self._note = Content()
        self._read: int | None = None

    def show(self, ridges: Ridges | None, note: Content | None = None) -> None:
        """Show ridges, or the text when there are none."""
        self._ridges, self._note = ridges, note or Content()
        self.redraw()

    def mark(self, row: int | None) -> None:
        """Let one epoch's ridge stand out; none when None."""
        if row != self._read:
            self._read = row
            self.redraw()

    def on_resize(self) -> None:
        """Draw for the new height."""
        self.forget()
        self.refresh()

    def notify_style_update(self) -> None:
        """Draw for the new theme: not all have tints."""
        super().notify_style_update()
        self.forget()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the picture."""
        height = self.size.height
        if self._ridges is None:
            return self._note.wrap(max(width, 10))
        if width < _SMALLEST[0] or height < _SMALLEST[1]:
            return [Content(self.look.draw("…"))]
        tinted = not self.app.current_theme.ansi
        return list(_picture(self._ridges, self._read, width, height, self.look, tinted=tinted))


def _picture(
    ridges: Ridges, read: int | None, width: int, height: int, look: Look, *, tinted: bool
) -> Iterator[Content]:
    rows = height - 2
    chosen = spread(len(ridges.epochs), max(rows + 1 - _OVERLAP, _FEWEST))
    if read is not None and read not in chosen:
        chosen = sorted({*chosen, read} - {min(chosen[1:-1], key=lambda i: abs(i - read))})
    names = [str(ridges.epochs[i]) for i in chosen]
    margin = max(len("epoch"), *map(len, names))
    columns = width - margin - 1
    heights = _heights(ridges.histogram, chosen, _DOTS_WIDE * columns)
    marked = chosen.index(read) if read in chosen else None
    if look.ascii:
        yield from _strips(names, heights, rows, margin, columns, marked)
    else:
        canvas = _Canvas(heights, columns, rows)
        styles = list(_styles(len(chosen), marked, tinted=tinted))
        labels = {canvas.baselines[i] // _DOTS_HIGH: i for i in range(len(chosen))}
        for y in range(rows):
            owner = labels.get(y)
            name = names[owner] if owner is not None else ""
            style = f"{BOLD} {ACCENT}" if owner is not None and owner == marked else MUTED
            label = Content.styled(f"{name:>{margin}} ", style)
            yield label + canvas.line(y, styles)
    yield from _axis(*span_of(ridges.histogram), margin, columns, look)


def _heights(histogram: "Histogram", chosen: Sequence[int], dots: int) -> list[list[float]]:
    """Return the density of each chosen epoch at so many values, as shares of the highest."""
    low, high = span_of(histogram)
    edges = histogram.edges
    middles = [(a + b) / 2 for a, b in pairwise(edges)]
    values = [low + (dot + 0.5) / dots * (high - low) for dot in range(dots)]
    curves: list[list[float]] = []
    for row in chosen:
        counts = histogram.counts[row]
        density = [n / (b - a) for n, (a, b) in zip(counts, pairwise(edges), strict=True)]
        curves.append(list(_interpolated(values, middles, density)))
    highest = max(map(max, curves)) or 1.0
    return [[value / highest for value in curve] for curve in curves]


def _interpolated(
    values: Sequence[float], xs: Sequence[float], ys: Sequence[float]
) -> Iterator[float]:
    """Yield what lies between the points at ascending values; beyond their ends, the ends."""
    i = 0
    for value in values:
        while i < len(xs) - 1 and xs[i + 1] < value:
            i += 1
        if value <= xs[0] or i == len(xs) - 1:
            yield ys[0] if value <= xs[0] else ys[-1]
            continue
        share = (value - xs[i]) / (xs[i + 1] - xs[i])
        yield ys[i] + share * (ys[i + 1] - ys[i])


def _styles(count: int, marked: int | None, *, tinted: bool) -> Iterator[tuple[str, str]]:
    """Yield for each ridge, oldest first, the styles of its outline and of what it fills."""
    for i in range(count):
        age = i / (count - 1) if count > 1 else 1.0
        color = ACCENT if i == marked else RUNNING
        if not tinted:
            yield (color if i in (marked, count - 1) else MUTED), ""
            continue
        strength = 100 if i == marked else round(_FAINTEST + age * (100 - _FAINTEST))
        fill = round(_FAINTEST_FILL + age * (_FULL_FILL - _FAINTEST_FILL))
        yield f"{color} {strength}%", f"on {color} {2 * fill if i == marked else fill}%"


class _Canvas:
    """Outlines of ridges in dots, and which ridge each cell belongs to."""

    def __init__(self, heights: Sequence[Sequence[float]], columns: int, rows: int) -> None:
        self._columns = columns
        self._bits = [[0] * columns for _ in range(rows)]
        self._outline: list[list[int | None]] = [[None] * columns for _ in range(rows)]
        self._fill: list[list[int | None]] = [[None] * columns for _ in range(rows)]
        last = rows * _DOTS_HIGH - 1
        distance = last / (len(heights) - 1 + _OVERLAP)
        self.baselines = [
            round(last - (len(heights) - 1 - i) * distance) for i in range(len(heights))
        ]
        horizon = [last + 1] * (_DOTS_WIDE * columns)
        for i in reversed(range(len(heights))):
            self._ridge(i, heights[i], self.baselines[i], _OVERLAP * distance, horizon)

    def line(self, y: int, styles: Sequence[tuple[str, str]]) -> Content:
        """Return a row of cells; `styles` has outline and fill of each ridge."""
        cells = zip(self._bits[y], self._outline[y], self._fill[y], strict=True)
        parts: list[tuple[str, str]] = []
        for (outline, fill), run in groupby(cells, key=lambda cell: (cell[1], cell[2])):
            drawn = "".join(chr(_BRAILLE + bits) if bits else " " for bits, _, _ in run)
            front = styles[outline][0] if outline is not None else ""
            back = styles[fill][1] if fill is not None else ""
            parts.append((drawn, f"{front} {back}".strip()))
        return Content.assemble(*parts)

    def _ridge(
        self, i: int, heights: Sequence[float], baseline: int, peak: float, horizon: list[int]
    ) -> None:
        tops = [baseline - round(share * peak) for share in heights]
        high = [x for x, share in enumerate(heights) if share >= _TAIL]
        if not high:
            return
        before = tops[high[0]]
        for x in range(high[0], high[-1] + 1):
            top = tops[x]
            self._stroke(i, x, min(top, before + 1), max(top, before - 1), horizon[x])
            if x % _DOTS_WIDE:
                self._paint(i, x // _DOTS_WIDE, top, min(baseline, horizon[x] - 1))
            before = top
            horizon[x] = min(horizon[x], top)

    def _stroke(self, i: int, x: int, top: int, bottom: int, horizon: int) -> None:
        """Set the dots of a column down to the horizon."""
        for y in range(max(top, 0), min(bottom + 1, horizon)):
            row, column = y // _DOTS_HIGH, x // _DOTS_WIDE
            self._bits[row][column] |= _DOT_BITS[x % _DOTS_WIDE][y % _DOTS_HIGH]
            if self._outline[row][column] is None:
                self._outline[row][column] = i

    def _paint(self, i: int, column: int, top: int, bottom: int) -> None:
        """Fill the cells of a column whose middle is between two dots."""
        for row in range(max(top, 0) // _DOTS_HIGH, bottom // _DOTS_HIGH + 1):
            middle = row * _DOTS_HIGH + _DOTS_HIGH // 2
            if top <= middle <= bottom and self._fill[row][column] is None:
                self._fill[row][column] = i


def _strips(
    names: Sequence[str],
    heights: Sequence[Sequence[float]],
    rows: int,
    margin: int,
    columns: int,
    marked: int | None,
) -> Iterator[Content]:
    """Yield a row of characters for each epoch, with rows between where there is room."""
    apart = max(rows // len(names), 1)
    for y in range(rows):
        i, between = divmod(y, apart)
        if between or i >= len(names):
            yield Content()
            continue
        shares = (max(heights[i][_DOTS_WIDE * x : _DOTS_WIDE * x + 2]) for x in range(columns))
        drawn = "".join(_RAMP[min(int(share * len(_RAMP)), len(_RAMP) - 1)] for share in shares)
        style = f"{BOLD} {ACCENT}" if i == marked else RUNNING
        yield Content.assemble((f"{names[i]:>{margin}} ", MUTED), (drawn, style))


def _axis(low: float, high: float, margin: int, columns: int, look: Look) -> Iterator[Content]:
    """Yield the axis of the values and what is written below it."""
    ticks = Scale(low, high).ticks(max(columns // _COLUMNS_A_TICK, 2))
    line, words = ["─"] * columns, [" "] * (columns + margin + 1)
    for share, text in ticks:
        at = round(share * (columns - 1))
        line[at] = "┬"
        start = min(max(margin + 1 + at - len(text) // 2, margin + 1), len(words) - len(text))
        words[start : start + len(text)] = text
    words[:margin] = f"{'epoch':>{margin}}"
    yield Content.styled(look.draw(" " * margin + "└" + "".join(line)), FAINT)
    yield Content.styled("".join(words), MUTED)
