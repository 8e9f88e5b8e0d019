"""Where values stand on an axis, which ticks it has, and which points of a long curve are drawn.

Positions are shares of the axis, so that the plotting library never sees the values themselves:
it cannot stumble over huge, tiny or equal ones, and the columns of a curve are known here too.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count as counting

Point = tuple[float, float | None]
Tick = tuple[float, str]
"""A share of the axis, and what is written there."""

_LARGE = 1e5
_MOST_DECIMALS = 5
_PADDING = 0.06
_STEPS = ((1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0), (10.0, 0))
"""Distances of ticks in units of a power of ten, and the decimals that they need beyond it."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The value axis.

    Attributes:
        low: value at its lower end, or that value's decimal logarithm.
        high: the same of its upper end.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value stands, 0 at the lower end; positive values only when `log`."""
        return _share(math.log10(value) if self.log else value, self.low, self.high)

    def ticks(self, most: int) -> list[Tick]:
        """Return ticks at round values, at most about so many, in ascending order."""
        marks = self._log_marks(most) if self.log else _marks(self.low, self.high, most)
        ticks: dict[str, float] = {}
        for value, text in marks:
            ticks.setdefault(text, self.share(value))
        return [(share, text) for text, share in ticks.items()]

    def _log_marks(self, most: int) -> list[tuple[float, str]]:
        first, last = math.floor(self.low), math.ceil(self.high)
        every = max(1, math.ceil((last - first) / max(most, 1)))
        factors = (1, 2, 5) if last - first <= most / 3 + 1 else (1,)
        values = [
            value
            for exponent in range(first, last + 1, every)
            for factor in factors
            if (value := _power(exponent, factor)) > 0
            and self.low <= math.log10(value) <= self.high
        ]
        if len(values) >= min(3, most):
            return [(value, _alone(value)) for value in values]
        linear = _marks(_power(self.low), _power(self.high), most)
        return [(value, text) for value, text in linear if value > 0]


def scale_of(values: Sequence[float], *, log: bool = False, from_zero: bool = False) -> Scale:
    """Return an axis on which all values have room.

    Args:
        values: finite ones, at least one.
        log: whether a logarithmic one is wanted; a linear one comes when a value isn't positive.
        from_zero: whether a linear one includes 0.
    """
    low, high = min(values), max(values)
    if log and low > 0:
        low, high = math.log10(low), math.log10(high)
        padding = (high - low) * _PADDING or 0.1
        return Scale(low - padding, high + padding, log=True)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    padding = 2 * (high / 2 - low / 2) * _PADDING
    if low == high or low - padding == low or high + padding == high:
        padding = max(abs(low) * 0.1, abs(high) * 0.1) or 1.0
    lowest = 0.0 if low >= 0 else -sys.float_info.max
    return Scale(max(low - padding, lowest), min(high + padding, sys.float_info.max))


def whole_ticks(first: int, last: int, most: int) -> list[int]:
    """Return round whole numbers from `first` to `last`, about `most`, the first always."""
    steps = (factor * 10**power for power in counting() for factor in (1, 2, 5))
    step = next(step for step in steps if (last - first) / step <= max(most, 1))
    ticks = [first]
    value = (first // step + 1) * step
    while value <= last:
        if value - first >= step / 2:
            ticks.append(value)
        value += step
    return ticks


def position(value: float, first: float, last: float) -> float:
    """Return where a value stands between two, as a share; in the middle when they are equal."""
    return _share(value, first, last)


def spread(count: int, most: int) -> list[int]:
    """Return all indices, or at most so many (at least two) from the first to the last."""
    if count <= max(most, 2):
        return list(range(count))
    steps = max(most, 2) - 1
    return sorted({round(i * (count - 1) / steps) for i in range(steps + 1)})


def thinned(points: Sequence[Point], columns: int) -> list[Point]:
    """Return at most two points a column: its lowest and its highest, in their order.

    A column whose points all have no value stays a gap.

    Args:
        points: x as shares from 0 to 1, ascending, and y.
        columns: of the canvas.
    """
    if len(points) <= 2 * columns:
        return list(points)
    buckets: dict[int, list[Point]] = {}
    for point in points:
        column = min(max(int(point[0] * columns), 0), columns - 1)
        buckets.setdefault(column, []).append(point)
    kept: list[Point] = []
    for bucket in buckets.values():
        known = [(x, y) for x, y in bucket if y is not None]
        if not known:
            kept.append(bucket[0])
            continue
        ends = {min(known, key=_height), max(known, key=_height)}
        kept.extend(sorted(ends))
    return kept


def _height(point: tuple[float, float]) -> float:
    return point[1]


def _share(value: float, low: float, high: float) -> float:
    # Halves, since the distance of two numbers may be larger than any number.
    span = high / 2 - low / 2
    return min(max((value / 2 - low / 2) / span, 0.0), 1.0) if span > 0 else 0.5


def _marks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    step, decimals = _step(2 * (high / 2 - low / 2) / max(most, 1))
    if step == 0 or not math.isfinite(step) or abs(low / step) > 1e12:
        return [(low, _alone(low)), (high, _alone(high))]
    start = math.ceil(low / step)
    values = [(start + i) * step for i in range(most + 2)]
    values = [value for value in values if low <= value <= high]
    return [(value, _written(value, step, decimals, max(abs(low), abs(high)))) for value in values]


def _step(least: float) -> tuple[float, int]:
    """Return the smallest round distance that is not less, and how many decimals it has."""
    if not 0 < least < math.inf:
        return 0.0, 0
    exponent = math.floor(math.log10(least))
    for factor, more in _STEPS:
        step = _power(exponent, factor)
        if step >= least:
            more -= factor == _STEPS[-1][0]
            return step, more - exponent
    return 0.0, 0


def _written(value: float, step: float, decimals: int, largest: float) -> str:
    if largest < _LARGE and decimals <= _MOST_DECIMALS:
        return f"{value:.{max(decimals, 0)}f}" if abs(value) > step / 2 else "0"
    if abs(value) < step / 2:
        return "0"
    digits = math.floor(math.log10(abs(value))) + decimals
    return _scientific(value, min(max(digits, 0), 4))


def _alone(value: float) -> str:
    """Return a value in few characters, without neighbours to be told from."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < _LARGE:
        return f"{value:.4g}"
    return _scientific(value, 0 if f"{value:.1e}".partition("e")[0].endswith(".0") else 1)


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _power(exponent: float, factor: float = 1.0) -> float:
    """Return the factor times the power of ten; 0 and the largest number beyond the range."""
    try:
        if isinstance(exponent, int):
            return float(f"{factor:g}e{exponent}") if exponent < 308 else sys.float_info.max
        return factor * 10.0**exponent
    except OverflowError:
        return sys.float_info.max
