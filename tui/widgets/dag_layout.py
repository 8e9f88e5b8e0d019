"""Where the boxes and lines of a pipeline's graph go.

A layered layout, left to right, for any acyclic graph: a node's layer is the length of the longest
path to it. Edges to the next layer run in the gap between the layers. Longer ones run below all
boxes, one line for each source, so that a source's line forks to all that read it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Final

Edge = tuple[str, str]
Cell = tuple[int, int]
"""Column and row of a character."""

LEFT: Final = 1
RIGHT: Final = 2
UP: Final = 4
DOWN: Final = 8
BOX_HEIGHT: Final = 3
_ARROW_ROW: Final = 1
"""Line of a box at which edges leave and arrive."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node stands; sizes in cells."""

    x: int
    y: int
    width: int

    def holds(self, x: int, y: int) -> bool:
        """Whether a cell belongs to the box."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + BOX_HEIGHT


@dataclass(frozen=True, slots=True)
class Wire:
    """The line of an edge.

    Attributes:
        cells: the sides (`LEFT`, …, added up) at which the line leaves each cell.
        arrow: the last cell, left of the target.
    """

    source: str
    target: str
    cells: Mapping[Cell, int]
    arrow: Cell


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawn graph; sizes in cells."""

    boxes: Mapping[str, Box]
    wires: Sequence[Wire]
    width: int
    height: int


def layers(names: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return the layer of each node, counted from 0.

    Raises:
        graphlib.CycleError: the edges go in a circle.
    """
    before: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        before[target].append(source)
    found: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        found[name] = 1 + max((found[source] for source in before[name]), default=-1)
    return found


def layout(
    widths: Mapping[str, int], edges: Sequence[Edge], available: int, *, widest_gap: int = 9
) -> Layout | None:
    """Place boxes and lines.

    Args:
        widths: cells that each node's box needs, in the order in which equal nodes are placed.
        edges: from a node to one that reads it.
        available: cells in a line.
        widest_gap: cells between two layers if there is room.

    Returns:
        The layout, or None where it is wider than what is available.
    """
    layer = layers(widths, edges)
    row = _rows(widths, edges, layer)
    columns = [
        max(width for name, width in widths.items() if layer[name] == number)
        for number in range(max(layer.values(), default=-1) + 1)
    ]
    tracks = _tracks(edges, layer, row)
    narrow = [max(3, len(tracks.get(number, ())) + 2) for number in range(len(columns) - 1)]
    spare = available - sum(columns) - sum(narrow)
    if spare < 0:
        return None
    more = spare // len(narrow) if narrow else 0
    gaps = [max(least, min(widest_gap, least + more)) for least in narrow]
    starts = _starts(columns, gaps)
    boxes = {
        name: Box(starts[layer[name]], row[name] * (BOX_HEIGHT + 1), columns[layer[name]])
        for name in widths
    }
    track_x = {
        (number, source): starts[number] + columns[number] + (gaps[number] - len(own)) // 2 + i
        for number, own in tracks.items()
        for i, source in enumerate(own)
    }
    bottom = max((box.y + BOX_HEIGHT for box in boxes.values()), default=0)
    below = _lanes(edges, layer, bottom)
    wires = [
        _wire(edge, _route(edge, boxes, layer, track_x, below))
        for edge in sorted(edges, key=lambda edge: layer[edge[1]] - layer[edge[0]])
    ]
    width = sum(columns) + sum(gaps)
    return Layout(boxes, tuple(wires), width, bottom + len(below))


def _rows(widths: Iterable[str], edges: Sequence[Edge], layer: Mapping[str, int]) -> dict[str, int]:
    """Return the row of each node: its first source's, or the next free one below."""
    rows: dict[str, int] = {}
    for name in sorted(widths, key=lambda name: layer[name]):
        taken = {rows[other] for other in rows if layer[other] == layer[name]}
        row = min((rows[source] for source, target in edges if target == name), default=0)
        while row in taken:
            row += 1
        rows[name] = row
    return rows


def _tracks(
    edges: Sequence[Edge], layer: Mapping[str, int], row: Mapping[str, int]
) -> dict[int, list[str]]:
    """Return, by the number of a gap, the sources that need a vertical line in it."""
    found: dict[int, list[str]] = {}
    for source, target in edges:
        first, last = layer[source], layer[target] - 1
        if first == last and row[source] == row[target]:
            continue
        for number in {first, last}:
            own = found.setdefault(number, [])
            if source not in own:
                own.append(source)
    return found


def _starts(columns: Sequence[int], gaps: Sequence[int]) -> list[int]:
    starts = [0]
    for column, gap in zip(columns, gaps, strict=False):
        starts.append(starts[-1] + column + gap)
    return starts


def _lanes(edges: Sequence[Edge], layer: Mapping[str, int], bottom: int) -> dict[str, int]:
    """Return the line below the boxes on which each source's long edges run."""
    sources = dict.fromkeys(s for s, target in edges if layer[target] - layer[s] > 1)
    return {source: bottom + i for i, source in enumerate(sources)}


def _route(
    edge: Edge,
    boxes: Mapping[str, Box],
    layer: Mapping[str, int],
    track_x: Mapping[tuple[int, str], int],
    below: Mapping[str, int],
) -> list[Cell]:
    """Return the corners of an edge's line."""
    source, target = edge
    from_box, to_box = boxes[source], boxes[target]
    start = (from_box.x + from_box.width, from_box.y + _ARROW_ROW)
    end = (to_box.x - 1, to_box.y + _ARROW_ROW)
    first = track_x.get((layer[source], source), start[0])
    if layer[target] - layer[source] == 1:
        return [start, (first, start[1]), (first, end[1]), end]
    last = track_x[layer[target] - 1, source]
    lane = below[source]
    return [start, (first, start[1]), (first, lane), (last, lane), (last, end[1]), end]


def _wire(edge: Edge, corners: Sequence[Cell]) -> Wire:
    cells: dict[Cell, int] = {corners[0]: LEFT}
    for (x, y), (to_x, to_y) in pairwise(corners):
        while (x, y) != (to_x, to_y):
            step_x, step_y = _sign(to_x - x), _sign(to_y - y)
            out, into = _SIDES[step_x, step_y]
            cells[x, y] = cells.get((x, y), 0) | out
            x, y = x + step_x, y + step_y
            cells[x, y] = cells.get((x, y), 0) | into
    return Wire(*edge, cells, corners[-1])


_SIDES: Final = {
    (1, 0): (RIGHT, LEFT),
    (-1, 0): (LEFT, RIGHT),
    (0, 1): (DOWN, UP),
    (0, -1): (UP, DOWN),
}


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
