"""The names of an experiment view's tabs; the open one stands out."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message

from tui.look import ACCENT, BOLD, MUTED, Look
from tui.widgets.line_block import LineBlock

_GAP = 3


class TabBar(LineBlock):
    """A line of names and a line under the open one.

    Args:
        look: what the terminal can show.
        names: of the tabs.
    """

    DEFAULT_CSS = "TabBar { height: 2; padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        index: int

    def __init__(self, look: Look, names: Sequence[str]) -> None:
        super().__init__(look)
        self._names = names
        self._open = 0

    def show(self, index: int) -> None:
        """Mark a tab as open."""
        self._open = index
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the names and the line."""
        del width
        names: list[Content] = []
        below: list[Content] = []
        for index, name in enumerate(self._names):
            is_open = index == self._open
            names.append(Content.styled(name, f"{BOLD} {ACCENT}" if is_open else MUTED))
            mark = self.look.draw("▔") if is_open else " "
            below.append(Content.styled(mark * len(name), ACCENT))
        gap = Content(" " * _GAP)
        return [gap.join(names), gap.join(below)]

    def on_click(self, event: events.Click) -> None:
        """Open the tab under the mouse."""
        start = 0
        for index, name in enumerate(self._names):
            if start <= event.x - 1 < start + len(name):
                self.post_message(self.Chosen(index))
            start += len(name) + _GAP
