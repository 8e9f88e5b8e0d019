"""`LogTable`: the newest log lines of a component, drawn line by line.

A line shows the beginning of its message; Enter opens it in place, with everything that the
component wrote: a traceback reads as it does in a file.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from tui.actions import bindings
from tui.look import ACCENT, BAD, FAINT, MUTED, RUNNING, WARNING, Look
from tui.widgets.log_entries import Entry, Key

_SELECTED: Final = "log-table--selected"
_STYLES: Final = {"DEBUG": MUTED, "INFO": RUNNING, "WARN": WARNING, "ERROR": BAD}
_MESSAGE_X: Final = len("▌ERROR  12:41:03  ")
_LEAST_MESSAGE: Final = 10
"""Cells; a narrower message is cut at the edge of the widget rather than wrapped into slivers."""


class LogTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Log lines with a cursor, newest first.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    LogTable { height: 1fr; min-height: 3; background: $background; text-wrap: nowrap;
               overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    LogTable .log-table--selected { background: $panel; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {_SELECTED}
    BINDINGS = [
        *bindings("down", "up", "page_down", "page_up", "first", "last", "open_line", "copy_line"),
        *bindings("back"),
    ]

    @dataclass
    class FilterCleared(Message):
        """All lines are shown again."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._all: tuple[Entry, ...] = ()
        self._entries: tuple[Entry, ...] = ()
        self._placeholder: tuple[Content, ...] = ()
        self._filter = ""
        self._cursor = 0
        self._opened: set[Key] = set()
        self._tops: list[int] = [0]
        self._strips: dict[int, list[Strip]] = {}

    @property
    def selected(self) -> Entry | None:
        """The line under the cursor."""
        return self._entries[self._cursor] if self._entries else None

    @property
    def counts(self) -> tuple[int, int]:
        """How many lines are shown, and how many there are."""
        return len(self._entries), len(self._all)

    @property
    def filter(self) -> str:
        """The text that the lines shown contain."""
        return self._filter

    def show(self, entries: Sequence[Entry], placeholder: Sequence[Content] = ()) -> None:
        """Show lines; the cursor stays on its line, or on the newest if it was there.

        Args:
            entries: newest first.
            placeholder: what is shown when there are none.
        """
        placeholder = tuple(placeholder)
        entries = tuple(entries)
        if entries == self._all and _plain(placeholder) == _plain(self._placeholder):
            return
        self._all, self._placeholder = entries, placeholder
        self._arrange()

    def restart(self, placeholder: Sequence[Content]) -> None:
        """Forget the lines, as before those of another component."""
        self._all, self._placeholder = (), tuple(placeholder)
        self._cursor = 0
        self._opened.clear()
        self._arrange()
        self._scroll(0)

    def search(self, text: str) -> None:
        """Show only lines that contain a text, in any case."""
        self._filter = text
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Escape to the screen unless there is a filter to clear."""
        del parameters
        return bool(self._filter) if action == "back" else True

    def action_back(self) -> None:
        """Show all lines again."""
        self.search("")
        self.post_message(self.FilterCleared())

    def action_down(self) -> None:
        """Move to the next line, or further down in one that doesn't fit."""
        self._step(1, 1)

    def action_up(self) -> None:
        """Move to the line before, or further up in one that doesn't fit."""
        self._step(-1, 1)

    def action_page_down(self) -> None:
        """Move down by as many lines as fit."""
        self._step(self._page, self._page)

    def action_page_up(self) -> None:
        """Move up by as many lines as fit."""
        self._step(-self._page, self._page)

    def action_first(self) -> None:
        """Move to the newest line."""
        self._jump(0)

    def action_last(self) -> None:
        """Move to the oldest line that was read."""
        self._jump(len(self._entries) - 1)

    def action_open_line(self) -> None:
        """Show the whole message under the cursor, or only its beginning again."""
        entry = self.selected
        if entry is None:
            return
        self._opened ^= {entry.key}
        self._strips.clear()
        self._measure()
        self._show_end()
        self.refresh()

    def action_copy_line(self) -> None:
        """Put the line under the cursor into the clipboard."""
        entry = self.selected
        if entry is not None:
            self.app.copy_to_clipboard(entry.text)

    def on_click(self, event: events.Click) -> None:
        """Select a line; open or close it with the second click."""
        index = self._index_at(event.y + self.scroll_offset.y)
        if index < len(self._entries):
            self._jump(index)
            if event.chain == 2:
                self.action_open_line()

    def on_focus(self) -> None:
        """Draw the cursor as that of what has the focus."""
        self._refresh_entry(self._cursor)

    def on_blur(self) -> None:
        """Draw the cursor as one that keys don't move."""
        self._refresh_entry(self._cursor)

    def on_resize(self) -> None:
        """Wrap and cut for the new width; the cursor stays on screen."""
        self._strips.clear()
        self._measure()
        self.call_after_refresh(self._keep_cursor)

    def notify_style_update(self) -> None:
        """Draw again in the new colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Return one line of what is on screen."""
        width = self.scrollable_content_region.width
        line = y + self.scroll_offset.y
        if not self._entries:
            lines = self._no_lines()
            drawn = self._to_strips(lines[line], width) if line < len(lines) else []
            return drawn[0] if drawn else Strip.blank(width, self.rich_style)
        index = self._index_at(line)
        if index >= len(self._entries):
            return Strip.blank(width, self.rich_style)
        strips = self._strips.get(index)
        if strips is None:
            strips = self._strips[index] = self._draw(index, width)
        row = line - self._tops[index]
        return strips[row] if row < len(strips) else Strip.blank(width, self.rich_style)

    def _arrange(self) -> None:
        """Filter again; the cursor's line stays where it is on screen, if it is still there."""
        before, at = self.selected, self._cursor
        row = self._tops[at] - self.scroll_offset.y if before else 0
        newest = at == 0 and self.scroll_offset.y == 0
        wanted = self._filter.casefold()
        self._entries = tuple(e for e in self._all if not wanted or e.contains(wanted))
        last = max(len(self._entries) - 1, 0)
        keeps = before is not None and (not newest or before.key in self._opened)
        self._cursor = min(at, last)
        if keeps and before is not None:
            same = (i for i, entry in enumerate(self._entries) if entry.key == before.key)
            self._cursor = next(same, self._cursor)
        self._strips.clear()
        drawn = self._tops[-1]
        self._measure()
        if keeps:
            self._scroll(self._tops[self._cursor] - row)
        self._keep_cursor()
        if drawn and self._entries:
            self.refresh(Region(0, 0, self.size.width, max(drawn, self._tops[-1])))
        else:
            self.refresh()

    def _measure(self) -> None:
        heights = [len(self._body(entry)) for entry in self._entries]
        self._tops = [0, *accumulate(heights)]
        self.virtual_size = Size(self.scrollable_content_region.width, self._tops[-1])

    def _body(self, entry: Entry) -> Sequence[str]:
        """Return the lines of the message that are to be drawn."""
        if entry.key not in self._opened:
            return (entry.head,)
        width = max(self.scrollable_content_region.width - _MESSAGE_X, _LEAST_MESSAGE)
        return [row for line in entry.body for row in _wrapped(line, width)]

    def _draw(self, index: int, width: int) -> list[Strip]:
        entry, selected = self._entries[index], index == self._cursor
        mark = (self._look.draw("▌"), ACCENT if self.has_focus else FAINT)
        style = _STYLES[entry.severity]
        message_style = MUTED if entry.severity == "DEBUG" else ""
        lines: list[Content] = []
        for row, text in enumerate(self._body(entry)):
            columns = (f"{entry.severity:<5}", style) if row == 0 else " " * 5
            clock = (f"  {entry.clock}  ", MUTED) if row == 0 else " " * 12
            cut = _cut(text, max(width - _MESSAGE_X, 0), self._look)
            lines.append(
                Content.assemble(mark if selected else " ", columns, clock, (cut, message_style))
            )
        return [strip for line in lines for strip in self._to_strips(line, width, selected)]

    def _to_strips(self, line: Content, width: int, selected: bool = False) -> list[Strip]:
        style = self.visual_style
        if selected:
            style += self.get_visual_style(_SELECTED)
        return Visual.to_strips(self, line, width, 1, style, pad=True)

    def _no_lines(self) -> Sequence[Content]:
        if self._all:
            return (
                Content.assemble(" ", ("No line contains this text.", MUTED)),
                Content.assemble(" ", ("Esc shows all lines.", MUTED)),
            )
        return self._placeholder

    def _index_at(self, line: int) -> int:
        return bisect_right(self._tops, line) - 1

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height)

    def _step(self, by: int, lines: int) -> None:
        """Move the cursor by so many entries, unless more of an opened one is to be seen first."""
        if not self._entries:
            return
        top, bottom = self._tops[self._cursor], self._tops[self._cursor + 1]
        first = self.scroll_offset.y
        if by > 0 and bottom > first + self._page:
            self._scroll(min(first + lines, bottom - self._page))
        elif by < 0 and top < first:
            self._scroll(max(first - lines, top))
        else:
            self._jump(self._cursor + by, upwards=by < 0)

    def _jump(self, index: int, *, upwards: bool = False) -> None:
        """Move the cursor; an opened line that doesn't fit is entered at its nearer end."""
        old = self._cursor
        self._cursor = max(0, min(index, len(self._entries) - 1))
        if self._cursor != old:
            self._refresh_entry(old)
            self._refresh_entry(self._cursor)
            self._show_end(upwards=upwards)

    def _show_end(self, *, upwards: bool = False) -> None:
        top, bottom = self._tops[self._cursor], self._tops[self._cursor + 1]
        if bottom - top > self._page:
            self._scroll(bottom - self._page if upwards else top)
        else:
            self._keep_cursor()

    def _keep_cursor(self) -> None:
        """Scroll no further than needed; a part of a line that doesn't fit will do."""
        if not self._entries:
            return
        top, bottom = self._tops[self._cursor], self._tops[self._cursor + 1]
        first, page = self.scroll_offset.y, self._page
        if bottom - top > page:
            if bottom <= first or top >= first + page:
                self._scroll(top)
        elif top < first:
            self._scroll(top)
        elif bottom > first + page:
            self._scroll(bottom - page)

    def _scroll(self, y: int) -> None:
        self.scroll_to(y=max(y, 0), animate=False, immediate=True, force=True)

    def _refresh_entry(self, index: int) -> None:
        if index >= len(self._entries):
            return
        self._strips.pop(index, None)
        top, bottom = self._tops[index] - self.scroll_offset.y, self._tops[index + 1]
        height = bottom - self._tops[index]
        if top < self.size.height and top + height > 0:
            self.refresh(Region(0, max(top, 0), self.size.width, height + min(top, 0)))


def _cut(text: str, width: int, look: Look) -> str:
    """Return the text in at most so many cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + look.draw("…") if width else ""


def _wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of so many cells, broken between words where that is possible."""
    return [line.plain for line in Content(text).wrap(width)] if text else [""]


def _plain(lines: Sequence[Content]) -> list[str]:
    return [line.plain for line in lines]
