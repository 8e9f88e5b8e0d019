"""The list of experiments: any number of cards, drawn line by line, read page by page.

Only the cards near the screen are held. What is missing is asked for with `CardList.Needed`, and
stands as a placeholder until the screen calls `put`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from engine.cards import Card, CardPage
from tui.actions import bindings
from tui.cards import Frame, card_height, card_lines, placeholder_lines
from tui.look import Look

MOST_MARKED = 4
PAGE = 50
"""Cards that are read at once."""
_SELECTED = "card-list--selected"


class CardList(ScrollView, can_focus=True):
    """Cards of experiments with a cursor.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    CardList { height: 1fr; background: $background; text-wrap: nowrap; scrollbar-size-vertical: 1;
               overflow-x: hidden; scrollbar-gutter: stable; }
    CardList .card-list--selected { background: $panel; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {_SELECTED}
    BINDINGS = [  # noqa: RUF012 - Textual's way
        *bindings("down", "up", "page_down", "page_up", "first", "last", "open", "mark"),
    ]

    @dataclass
    class Needed(Message):
        """Cards from `offset` on are to be shown and not known."""

        offset: int

    @dataclass
    class Opened(Message):
        """A card was chosen."""

        card: Card

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.cursor = 0
        self._total = 0
        self._cards: dict[int, Card] = {}
        self._strips: dict[int, list[Strip]] = {}
        self._asked: set[int] = set()
        self._marked: list[int] = []

    @property
    def marked(self) -> tuple[int, ...]:
        """Numbers of the marked experiments, in the order in which they were marked."""
        return tuple(self._marked)

    def unmark(self) -> None:
        """Mark none."""
        self._marked.clear()
        for index in self._visible():
            self._refresh_card(index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action counts: nothing can be opened in an empty list."""
        del parameters
        return action not in ("open", "mark") or self._total > 0

    @property
    def selected(self) -> Card | None:
        """The card under the cursor, unless it is still being read."""
        return self._cards.get(self.cursor)

    @property
    def total(self) -> int:
        """How many cards there are."""
        return self._total

    def put(self, offset: int, page: CardPage, *, fresh: bool) -> None:
        """Show a page.

        Args:
            offset: index of its first card.
            page: the cards, and how many there are in all.
            fresh: whether everything else that is known may be old.
        """
        before = self.selected
        known = self._cards
        if fresh:
            self._cards, self._asked = {}, set()
        self._cards.update(enumerate(page.items, offset))
        self._asked.discard(offset)
        if page.total != self._total:
            self._total = page.total
            self._resize()
        moved = self._follow(before) if fresh else 0
        if fresh:
            self._refresh_changed(known, moved)
        else:
            for index in range(offset, offset + len(page.items)):
                self._refresh_card(index)
        self._ask_for_missing()

    def show_first(self, page: CardPage) -> None:
        """Show a list anew from its beginning, as after another search."""
        self._cards = dict(enumerate(page.items))
        self._asked.clear()
        self._strips.clear()
        self._total = page.total
        self.cursor = 0
        self._resize()
        self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def window(self) -> int:
        """Return the offset of the page that holds what is on screen."""
        first = self.scroll_offset.y // self._height
        return max(0, min(first - PAGE // 4, self._total - PAGE))

    def tick(self) -> None:
        """Draw cards again whose elapsed times run on."""
        for index in self._visible():
            card = self._cards.get(index)
            if card is not None and not card.ended:
                self._refresh_card(index)

    def grow_older(self) -> None:
        """Draw all cards again, since their ages run on."""
        for index in self._visible():
            self._refresh_card(index)

    def jump(self, index: int) -> None:
        """Move the cursor to a card."""
        before = self.selected
        old, self.cursor = self.cursor, max(0, min(index, self._total - 1))
        self._keep_cursor()
        self._refresh_card(old)
        self._refresh_card(self.cursor)
        self._ask_for_missing()
        if _state(before) != _state(self.selected):
            self.screen.refresh_bindings()  # not everything can be done in every state

    def _keep_cursor(self) -> None:
        """Scroll so that the card under the cursor is on screen."""
        height, top = self._height, self.cursor * self._height
        shown = self.scrollable_content_region.height
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True)
        elif top + height > self.scroll_offset.y + shown:
            self.scroll_to(y=top + height - shown, animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for what came into view."""
        super().watch_scroll_y(old_value, new_value)
        self._ask_for_missing()

    def on_resize(self) -> None:
        """Draw everything for the new width; the cursor stays on screen."""
        self._strips.clear()
        self._resize()
        self.call_after_refresh(self._keep_cursor)

    def on_click(self, event: events.Click) -> None:
        """Select the card; open it with the second click."""
        index = (event.y + self.scroll_offset.y) // self._height
        if index < self._total:
            self.jump(index)
            if event.chain == 2:
                self.action_open()

    def action_down(self) -> None:
        """Move to the next card."""
        self.jump(self.cursor + 1)

    def action_up(self) -> None:
        """Move to the card before."""
        self.jump(self.cursor - 1)

    def action_page_down(self) -> None:
        """Move down by as many cards as fit."""
        self.jump(self.cursor + self._a_page)

    def action_page_up(self) -> None:
        """Move up by as many cards as fit."""
        self.jump(self.cursor - self._a_page)

    def action_first(self) -> None:
        """Move to the newest."""
        self.jump(0)

    def action_last(self) -> None:
        """Move to the oldest."""
        self.jump(self._total - 1)

    def action_open(self) -> None:
        """Open the card under the cursor."""
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))

    def action_mark(self) -> None:
        """Mark the card under the cursor for comparing, or no longer."""
        card = self.selected
        if card is None:
            return
        if card.number in self._marked:
            self._marked.remove(card.number)
        elif len(self._marked) < MOST_MARKED:
            self._marked.append(card.number)
        else:
            self.notify(f"At most {MOST_MARKED} can be compared; Esc unmarks all.")
        self._refresh_card(self.cursor)
        self.screen.refresh_bindings()

    def notify_style_update(self) -> None:
        """Draw again in the new colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Return one line of what is on screen."""
        width = self.scrollable_content_region.width
        index, row = divmod(y + self.scroll_offset.y, self._height)
        if index >= self._total:
            return Strip.blank(width, self.rich_style)
        strips = self._strips.get(index)
        if strips is None:
            strips = self._strips[index] = self._draw(index, width)
        return strips[row] if row < len(strips) else Strip.blank(width, self.rich_style)

    def _draw(self, index: int, width: int) -> list[Strip]:
        selected = index == self.cursor
        card = self._cards.get(index)
        marked = card is not None and card.number in self._marked
        frame = Frame(width, selected, datetime.now(UTC), marked)
        lines: Sequence[Content]
        lines = (
            card_lines(card, frame, self._look) if card else placeholder_lines(frame, self._look)
        )
        style = self.visual_style
        if selected:
            style += self.get_visual_style(_SELECTED)
        return [
            strip
            for line in lines
            for strip in Visual.to_strips(self, line, width, 1, style, pad=True)
        ]

    @property
    def _height(self) -> int:
        return card_height(self.scrollable_content_region.width)

    @property
    def _a_page(self) -> int:
        return max(1, self.scrollable_content_region.height // self._height)

    def _visible(self) -> range:
        first = self.scroll_offset.y // self._height
        return range(first, min(first + self._a_page + 2, self._total))

    def _resize(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self._total * self._height)

    def _follow(self, before: Card | None) -> int:
        """Move the cursor with its experiment and return by how many cards it moved."""
        last = max(0, self._total - 1)
        old = self.cursor
        new = min(old, last)
        if before is not None:
            new = next((i for i, c in self._cards.items() if c.number == before.number), new)
        if new != old:
            self.cursor = new
            if self.scroll_offset.y:
                by = (new - old) * self._height
                self.scroll_to(y=self.scroll_offset.y + by, animate=False, immediate=True)
        return new - old

    def _refresh_changed(self, known: dict[int, Card], moved: int) -> None:
        visible = self._visible()
        if moved:
            self._strips.clear()
            self.refresh()
            return
        for index in [index for index in self._strips if index not in visible]:
            del self._strips[index]
        for index in visible:
            if known.get(index) != self._cards.get(index):
                self._refresh_card(index)

    def _refresh_card(self, index: int) -> None:
        """Draw a card again; of one on screen only the lines that changed are sent."""
        old = self._strips.pop(index, [])
        top = index * self._height - self.scroll_offset.y
        if not -self._height < top < self.size.height:
            return
        new = self._strips[index] = self._draw(index, self.scrollable_content_region.width)
        for row, strip in enumerate(new):
            if row >= len(old) or strip != old[row]:
                self.refresh(Region(0, top + row, self.size.width, 1))

    def _ask_for_missing(self) -> None:
        missing = [index for index in self._visible() if index not in self._cards]
        if missing and not self._asked:
            offset = self.window()
            self._asked.add(offset)
            self.post_message(self.Needed(offset))


def _state(card: Card | None) -> tuple[bool, str | None] | None:
    return (card.ended, card.intent) if card is not None else None
