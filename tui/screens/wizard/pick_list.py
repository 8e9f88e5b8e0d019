"""A list of definitions to choose one from: the line under the cursor is the choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.message import Message

from engine.text import safe_line
from tui.look import ACCENT, BAD, BOLD, FAINT, MUTED, WARNING, Look
from tui.screens.wizard.entries import Entry
from tui.screens.wizard.own_keys import OwnKeys
from tui.widgets.line_block import LineBlock


class PickList(OwnKeys, LineBlock, can_focus=True):
    """Shows entries one a line; lives in a scrolling container.

    Args:
        look: what the terminal can show.
        field: name of the field that it chooses.
        empty: what stands there when there is nothing to choose.
    """

    BINDINGS: ClassVar = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("home,g", "edge(1)", show=False),
        Binding("end,G", "edge(-1)", show=False),
    ]

    @dataclass
    class Moved(Message):
        """Another entry is under the cursor."""

        picker: "PickList"

    def __init__(self, look: Look, field: str, empty: Sequence[str]) -> None:
        super().__init__(look, id=f"pick-{field}")
        self.field = field
        self._empty = empty
        self._entries: list[Entry] = []
        self._cursor: int | None = None

    @property
    def entry(self) -> Entry | None:
        """The entry under the cursor."""
        return None if self._cursor is None else self._entries[self._cursor]

    @property
    def choice(self) -> str:
        """The name that is chosen; "" where the entry can't be used."""
        entry = self.entry
        return entry.name if entry is not None and entry.usable else ""

    @property
    def length(self) -> int:
        """How many lines it has."""
        return len(self._entries) or len(self._empty)

    def fill(self, entries: Sequence[Entry], wanted: str, empty: Sequence[str]) -> None:
        """Show entries with the cursor on the wanted one, or else the first that can be used.

        Args:
            entries: in the order of the list.
            wanted: a name.
            empty: what stands there when there are none.
        """
        self._empty = empty
        self._entries = list(entries)
        reachable = [i for i, entry in enumerate(entries) if not entry.heading]
        order = sorted(
            reachable,
            key=lambda i: (entries[i].name != wanted, not entries[i].usable, i),
        )
        self._cursor = order[0] if order else None
        self.redraw()
        self.call_after_refresh(self._reveal)

    def lines(self, width: int) -> Sequence[Content]:
        """Return a line an entry."""
        if not self._entries:
            return [Content.styled(self.look.draw(line), MUTED) for line in self._empty]
        return [self._line(i, entry, width) for i, entry in enumerate(self._entries)]

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw what is chosen bright or dim."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Choose the entry under the pointer."""
        if event.y < len(self._entries) and not self._entries[event.y].heading:
            self._go(event.y)

    def action_move(self, by: int) -> None:
        """Move the cursor to the next entry that isn't a heading."""
        if self._cursor is None:
            return
        index = self._cursor + by
        while 0 <= index < len(self._entries):
            if not self._entries[index].heading:
                self._go(index)
                return
            index += by
        self._reveal()

    def action_edge(self, by: int) -> None:
        """Move to the first (1) or last (-1) entry."""
        indexes = [i for i, entry in enumerate(self._entries) if not entry.heading]
        if indexes:
            self._go(indexes[0] if by > 0 else indexes[-1])

    def _go(self, index: int) -> None:
        if index != self._cursor:
            self._cursor = index
            self.redraw()
            self.post_message(self.Moved(self))
        self._reveal()

    def _reveal(self) -> None:
        """Scroll to the cursor, and to the heading above when it is the first of its group."""
        if self._cursor is None or not isinstance(self.parent, VerticalScroll):
            return
        above = self._cursor > 0 and self._entries[self._cursor - 1].heading
        region = Region(0, self._cursor - int(above), self.size.width, 1 + int(above))
        self.parent.scroll_to_region(region, animate=False, force=True)

    def _line(self, index: int, entry: Entry, width: int) -> Content:
        name = safe_line(entry.name, limit=200)
        if entry.heading:
            return Content.styled(name, MUTED)
        chosen = index == self._cursor
        lit = chosen and self.has_focus
        style = BOLD if chosen else ""
        badge, badge_style = entry.badge, MUTED if chosen else FAINT
        icon = ""
        if not entry.usable:
            icon, style, badge_style = f"{self.look.icon('failed')} ", f"{style} {BAD}", BAD
        elif entry.problems:
            icon, badge, badge_style = "! ", "file is wrong", WARNING
        if lit and entry.usable:
            style = f"{BOLD} {ACCENT}"
        body = Content.assemble((icon, badge_style), (name, style.strip()))
        room = max(4, width - 2 - (len(badge) + 2 if badge else 0))
        body = body.truncate(room, ellipsis=True, pad=True)
        mark = (self.look.draw("▌" if lit else "●"), ACCENT if lit else MUTED)
        return Content.assemble(
            mark if chosen else " ", " ", body, "  " if badge else "", (badge, badge_style)
        )
