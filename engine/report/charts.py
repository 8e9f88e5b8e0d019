"""Where the points and bars of a picture are, in the units of its SVG."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.report.wording import number

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 20
"""The picture and the margins around what is drawn."""


@dataclass(frozen=True)
class Bar:
    """A bar: its length as a share of the longest, what it counts, and what it stands for."""

    share: float
    count: float
    label: str


@dataclass(frozen=True)
class Line:
    """A curve: its name, and its points, in pieces where values are missing."""

    name: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float, str], ...]
    """x, y, and what the point says."""


@dataclass(frozen=True)
class Chart:
    """Curves over epochs; ticks are (position, text)."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def bars(counts: Iterable[tuple[float, str]]) -> list[Bar]:
    """Return bars of counts with their labels."""
    pairs = list(counts)
    longest = max((count for count, _ in pairs), default=0.0) or 1.0
    return [Bar(count / longest, count, label) for count, label in pairs]


def curves(
    title: str, epochs: Sequence[int], series: Mapping[str, Sequence[float | None]]
) -> Chart:
    """Return curves on common axes; series equal to an earlier one are left out."""
    distinct: dict[str, Sequence[float | None]] = {}
    for name, values in series.items():
        if any(v is not None for v in values) and values not in distinct.values():
            distinct[name] = values
    known = [v for values in distinct.values() for v in values if v is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low == high:
        low, high = low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5
    first, last = epochs[0], epochs[-1]

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (
            (epoch - first) / (last - first) if last > first else 0.5
        )

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    def line(name: str, values: Sequence[float | None]) -> Line:
        dots: list[tuple[float, float, str]] = []
        pieces: list[list[str]] = [[]]
        for epoch, value in zip(epochs, values, strict=True):
            if value is None:
                pieces.append([])
                continue
            dots.append((round(x(epoch), 1), round(y(value), 1), f"epoch {epoch}: {number(value)}"))
            pieces[-1].append(f"{x(epoch):.1f},{y(value):.1f}")
        return Line(name, tuple(" ".join(piece) for piece in pieces if len(piece) > 1), tuple(dots))

    middle = epochs[len(epochs) // 2]
    return Chart(
        title=title,
        lines=tuple(line(name, values) for name, values in distinct.items()),
        x_ticks=tuple((round(x(e), 1), str(e)) for e in sorted({first, middle, last})),
        y_ticks=tuple((round(y(v), 1), number(v)) for v in (low, (low + high) / 2, high)),
    )
