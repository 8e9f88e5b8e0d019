"""The filter bar: search words, and a chip for each filter with choices.

On a narrow terminal the chips are folded away until the bar has the focus; a summary stands for
them meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from engine.text import safe_line
from tui.actions import bindings
from tui.filters import FIELDS, LABELS, Filters
from tui.look import ACCENT, BOLD, MUTED, Look
from tui.widgets.line_block import LineBlock
from tui.widgets.line_input import LineInput

DEBOUNCE_SECONDS: Final = 0.15
"""How long after the last key a search begins."""


class SearchInput(LineInput):
    """The search words; Enter and ↓ go back to the list."""

    BINDINGS: ClassVar = [*bindings("leave"), Binding("down", "leave", show=False)]

    @dataclass
    class Left(Message):
        """The person is done with searching."""

    def action_leave(self) -> None:
        """Give the focus back."""
        self.post_message(self.Left())


class Chip(LineBlock, can_focus=True):
    """One filter and its value; Enter chooses, Backspace clears."""

    DEFAULT_CSS = """
    Chip { width: auto; height: 1; margin-right: 1; padding: 0 1; }
    Chip:focus { background: $accent; }
    """
    BINDINGS: ClassVar = [
        *bindings("choose", "leave"),
        Binding("backspace,delete", "clear", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    @dataclass
    class Pressed(Message):
        """A value is to be chosen."""

        field: str

    @dataclass
    class Cleared(Message):
        """The filter is to match all again."""

        field: str

    def __init__(self, look: Look, field: str) -> None:
        super().__init__(look)
        self.field = field
        self._value = ""

    def show(self, value: str) -> None:
        """Show the value that is chosen; "" is all."""
        if value != self._value:
            self._value = value
            self.refresh(layout=True)
            self.forget()

    def get_content_width(self, container: object, viewport: object) -> int:
        """Return the cells of label and value."""
        del container, viewport
        return self._content().cell_length

    def lines(self, width: int) -> Sequence[Content]:
        """Return the one line."""
        del width
        return [self._content()]

    def _content(self) -> Content:
        focused = self.has_focus
        value = safe_line(self._value, limit=24) or "All"
        label_style = "$background" if focused else MUTED
        style = f"{BOLD} $background" if focused else (f"{BOLD} {ACCENT}" if self._value else "")
        return Content.assemble((f"{LABELS[self.field]} ", label_style), (value, style))

    def on_focus(self) -> None:
        """Draw in the colours of the focus."""
        self.redraw()

    def on_blur(self) -> None:
        """Draw in the ordinary colours."""
        self.redraw()

    def on_click(self) -> None:
        """Choose."""
        self.action_choose()

    def action_choose(self) -> None:
        """Ask for a value."""
        self.post_message(self.Pressed(self.field))

    def action_clear(self) -> None:
        """Match all again."""
        self.post_message(self.Cleared(self.field))

    def action_leave(self) -> None:
        """Give the focus back."""
        self.post_message(SearchInput.Left())


class Count(LineBlock):
    """How many experiments match, and on a narrow terminal which filters are set."""

    DEFAULT_CSS = "Count { width: auto; height: 1; padding: 0 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._told = Content("")

    def show(self, told: Content) -> None:
        """Show a line."""
        if told != self._told or told.plain != self._told.plain:
            self._told = told
            self.forget()
            self.refresh(layout=True)

    def get_content_width(self, container: object, viewport: object) -> int:
        """Return the cells of the line."""
        del container, viewport
        return self._told.cell_length

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        del width
        return [self._told]


class FilterBar(Widget):
    """Search field, chips and count.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    FilterBar { height: auto; layout: vertical; }
    FilterBar #search-row { height: 1; }
    FilterBar #chips { height: 1; }
    FilterBar SearchInput { width: 1fr; background: $background; }
    FilterBar SearchInput.-textual-compact { padding: 0 0 0 1; }
    FilterBar SearchInput:focus { background: $surface; }
    FilterBar.-narrow #chips { display: none; }
    FilterBar.-narrow.-open #chips { display: block; }
    """

    @dataclass
    class Changed(Message):
        """Something else is to be shown."""

        filters: Filters

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._pending: Timer | None = None
        self._matching = self._all = 0
        self.filters = Filters()

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Horizontal(id="search-row"):
            yield SearchInput("/ search: words, or #62")
            yield Count(self._look)
        with Horizontal(id="chips"):
            for field in FIELDS:
                yield Chip(self._look, field)

    def on_resize(self, event: events.Resize) -> None:
        """Fold the chips away where there is no room for two lines."""
        self.set_class(event.size.width < 100, "-narrow")
        self._show_count()

    def on_descendant_focus(self) -> None:
        """Unfold the chips."""
        self.set_class(self.has_focus_within, "-open")

    def on_descendant_blur(self) -> None:
        """Fold them away, unless the focus went from one part to another."""
        self.set_class(self.has_focus_within, "-open")

    def focus_search(self) -> None:
        """Let the person type, from the next key on."""
        self.screen.set_focus(self.query_one(SearchInput))

    def choose(self, field: str, value: str) -> None:
        """Filter by a value; "" matches all."""
        self._apply(self.filters.with_value(field, value))

    def clear(self) -> None:
        """Show everything."""
        self.query_one(SearchInput).value = ""
        self._apply(Filters())

    def show_count(self, matching: int, total: int) -> None:
        """Show how many experiments match, of how many."""
        self._matching, self._all = matching, total
        self._show_count()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search when the typing pauses."""
        event.stop()
        if self._pending is not None:
            self._pending.stop()
        self._pending = self.set_timer(DEBOUNCE_SECONDS, self._search)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search at once and go back to the list."""
        event.stop()
        self._search()
        self.post_message(SearchInput.Left())

    def on_chip_cleared(self, event: Chip.Cleared) -> None:
        """Match all again."""
        event.stop()
        self.choose(event.field, "")

    def _search(self) -> None:
        typed = self.query_one(SearchInput).value.strip()
        self._apply(self.filters.with_value("search", typed))

    def _apply(self, filters: Filters) -> None:
        if filters == self.filters:
            return
        self.filters = filters
        for chip in self.query(Chip):
            chip.show(getattr(filters, chip.field))
        self._show_count()
        self.post_message(self.Changed(filters))

    def _show_count(self) -> None:
        parts: list[tuple[str, str]] = []
        if self.has_class("-narrow"):
            for field in FIELDS:
                value = getattr(self.filters, field)
                if value:
                    parts.append((f"{safe_line(value, limit=14)}  ", ACCENT))
        told = f"{self._all:,} experiment{'' if self._all == 1 else 's'}"
        if self.filters.any:
            told = f"{self._matching:,} of {self._all:,}"
        parts.append((told, MUTED))
        self.query_one(Count).show(Content.assemble(*parts))
