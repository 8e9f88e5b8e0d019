"""`Dag`: the pipeline as boxes and arrows, or as a list where the terminal is narrow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from textual import events
from textual.content import Content
from textual.message import Message

from engine.snapshots import ExperimentDetail
from tui.components import READS, shown_status, time_label, utc_now
from tui.look import ACCENT, BAD, BOLD, FAINT, MUTED, RUNNING, STATUS_STYLE, Look
from tui.widgets.dag_layout import DOWN, LEFT, RIGHT, UP, Box, Cell, Layout, layout
from tui.widgets.line_block import LineBlock

_MARGIN: Final = 1
"""Empty columns at the left."""
_LABEL: Final = len("1:03:12")
_TRAINING_LABEL: Final = len("1:03:12 · 100%")
_FLOWED: Final = frozenset({"completed", "cached"})
_LINES: Final[dict[int, str]] = {
    LEFT | RIGHT: "─",
    UP | DOWN: "│",
    LEFT | DOWN: "╮",
    LEFT | UP: "╯",
    RIGHT | DOWN: "╭",
    RIGHT | UP: "╰",
    LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴",
    UP | DOWN | RIGHT: "├",
    UP | DOWN | LEFT: "┤",
}
_LIGHT: Final = ("╭─╮", "│ │", "╰─╯")
_HEAVY: Final = ("┏━┓", "┃ ┃", "┗━┛")
_LIGHT_ASCII: Final = ("+-+", "| |", "+-+")
_HEAVY_ASCII: Final = ("#=#", "# #", "#=#")


@dataclass(frozen=True, slots=True)
class Node:
    """A component as it is drawn: `status` is a key of `STATUS_STYLE`."""

    name: str
    status: str
    label: str
    selected: bool = False


class Dag(LineBlock):
    """The components of an experiment's pipeline with status and time.

    Args:
        look: what the terminal can show.
        clock: tells the time; components at work are drawn with the time they have taken so far.
    """

    @dataclass
    class Chosen(Message):
        """Somebody clicked a component."""

        name: str

    def __init__(self, look: Look, *, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(look)
        self._clock = clock
        self._seen: ExperimentDetail | None = None
        self._selected = ""
        self._places: Mapping[str, Box] = {}

    def show(self, seen: ExperimentDetail, selected: str) -> None:
        """Draw an experiment's components, one of them as selected."""
        self._seen, self._selected = seen, selected
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the boxes, or the list where they don't fit."""
        nodes = self._components()
        if not nodes:
            return []
        placed = layout({node.name: _box_width(node.name) for node in nodes}, READS, width - 2)
        if placed is None:
            self._places = {node.name: Box(0, y, width) for y, node in enumerate(nodes)}
            return _list_lines(nodes, self.look)
        self._places = placed.boxes
        return _graph_lines(nodes, placed, self.look)

    def on_click(self, event: events.Click) -> None:
        """Tell which component was clicked."""
        a_list = len(self._places) == self.size.height
        for name, box in self._places.items():
            if event.y == box.y if a_list else box.holds(event.x - _MARGIN, event.y):
                self.post_message(self.Chosen(name))
                return

    def _components(self) -> list[Node]:
        seen = self._seen
        if seen is None:
            return []
        now = self._clock()
        return [
            Node(
                component.name,
                shown_status(component, seen),
                time_label(component, seen, now),
                component.name == self._selected,
            )
            for component in seen.components
        ]


def _box_width(name: str) -> int:
    """Return what a box needs whatever its component does, so that boxes never move."""
    label = _TRAINING_LABEL if name == "Train" else _LABEL
    return max(len(name) + 6, label + 6)


def _list_lines(nodes: Sequence[Node], look: Look) -> list[Content]:
    names = max(len(node.name) for node in nodes)
    labels = max(_LABEL, *(len(node.label) for node in nodes))
    lines: list[Content] = []
    for node in nodes:
        reads = ", ".join(source for source, target in READS if target == node.name)
        lines.append(
            Content.assemble(
                (look.draw("▌" if node.selected else " "), ACCENT),
                (look.icon(node.status), STATUS_STYLE[node.status]),
                (f" {node.name:<{names}}", _name_style(node)),
                (look.draw(f"   {node.label:>{labels}}"), _label_style(node)),
                (f"   from {reads}" if reads else "", FAINT),
            )
        )
    return lines


class _Canvas:
    """Characters and their styles by line and column."""

    def __init__(self, width: int, height: int) -> None:
        self._cells = [[(" ", "")] * width for _ in range(height)]

    def write(self, x: int, y: int, text: str, style: str) -> None:
        line = self._cells[y]
        for i, character in enumerate(text, x):
            line[i] = (character, style)

    def lines(self) -> list[Content]:
        return [
            Content.assemble(
                " " * _MARGIN,
                *(
                    ("".join(character for character, _ in run), style)
                    for style, run in groupby(line, key=lambda cell: cell[1])
                ),
            )
            for line in self._cells
        ]


def _graph_lines(nodes: Sequence[Node], placed: Layout, look: Look) -> list[Content]:
    canvas = _Canvas(placed.width, placed.height)
    flowed = {node.name for node in nodes if node.status in _FLOWED}
    sides: dict[Cell, int] = {}
    lit: set[Cell] = set()
    for wire in placed.wires:
        for cell, side in wire.cells.items():
            sides[cell] = sides.get(cell, 0) | side
        if wire.source in flowed:
            lit.update(wire.cells)
    for (x, y), side in sides.items():
        canvas.write(x, y, _line(side, look), MUTED if (x, y) in lit else FAINT)
    for wire in placed.wires:
        canvas.write(*wire.arrow, look.draw("▶"), MUTED if wire.arrow in lit else FAINT)
    for node in nodes:
        _draw_box(canvas, node, placed.boxes[node.name], look)
    return canvas.lines()


def _draw_box(canvas: _Canvas, node: Node, box: Box, look: Look) -> None:
    if look.ascii:
        shape = _HEAVY_ASCII if node.selected else _LIGHT_ASCII
    else:
        shape = _HEAVY if node.selected else _LIGHT
    border = _border_style(node)
    for y, (left, middle, right) in enumerate(shape, box.y):
        canvas.write(box.x, y, left + middle * (box.width - 2) + right, border)
    canvas.write(box.x + 2, box.y + 1, look.icon(node.status), STATUS_STYLE[node.status])
    canvas.write(box.x + 4, box.y + 1, node.name, _name_style(node))
    if node.label:
        label = look.draw(f" {node.label} ")
        at = box.x + box.width - 2 - len(label)
        canvas.write(at, box.y + 2, label, _label_style(node))


def _line(side: int, look: Look) -> str:
    if not look.ascii:
        return _LINES.get(side, "┼")
    if side == LEFT | RIGHT:
        return "-"
    return "|" if side == UP | DOWN else "+"


def _border_style(node: Node) -> str:
    if node.selected:
        return ACCENT
    return {"running": RUNNING, "failed": BAD, "pending": FAINT}.get(node.status, MUTED)


def _name_style(node: Node) -> str:
    if node.selected:
        return BOLD
    return MUTED if node.status == "pending" else ""


def _label_style(node: Node) -> str:
    return {"running": RUNNING, "failed": BAD}.get(node.status, MUTED)
