"""One choice of a few, side by side where there is room and one below the other where not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from tui.look import ACCENT, BOLD, FAINT, MUTED, Look
from tui.screens.wizard.own_keys import OwnKeys
from tui.widgets.line_block import LineBlock


@dataclass(frozen=True)
class Option:
    """A value of a choice; one with a reason why not is shown and can't be chosen."""

    value: str
    label: str
    reason: str = ""

    @property
    def available(self) -> bool:
        """Whether it can be chosen."""
        return not self.reason


class OneOf(OwnKeys, LineBlock, can_focus=True):
    """Shows options; arrows choose.

    Args:
        look: what the terminal can show.
        field: name of the field that it chooses.
        options: what there is; the first that is available is chosen.
    """

    BINDINGS: ClassVar = [
        Binding("right,down,l,j,space", "move(1)", show=False),
        Binding("left,up,h,k", "move(-1)", show=False),
    ]

    @dataclass
    class Changed(Message):
        """Another option is chosen."""

        choice: "OneOf"

    @dataclass
    class Refused(Message):
        """An option was asked for that can't be chosen."""

        reason: str

    def __init__(self, look: Look, field: str, options: Sequence[Option]) -> None:
        super().__init__(look, id=f"choose-{field}")
        self.field = field
        self._options = options
        self.value = next(option.value for option in options if option.available)

    def offer(self, options: Sequence[Option]) -> None:
        """Replace the options; what is chosen stays where it can."""
        self._options = options
        if self.value not in [option.value for option in options if option.available]:
            self.value = next(option.value for option in options if option.available)
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the options side by side, or in columns where there is no room for all."""
        lines: list[Content] = []
        for placed in self._rows(width):
            line = Content("")
            for x, option in placed:
                line = Content.assemble(line, " " * (x - line.cell_length), self._item(option))
            lines.append(line)
        return lines

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw what is chosen bright or dim."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Choose the option under the pointer."""
        rows = self._rows(self.size.width)
        for x, option in rows[event.y] if event.y < len(rows) else []:
            if x <= event.x < x + len(option.label) + 2:
                self._take(option)

    def action_move(self, by: int) -> None:
        """Choose the next available option, without going round."""
        now = next(i for i, option in enumerate(self._options) if option.value == self.value)
        ahead = self._options[now + 1 :] if by > 0 else self._options[:now][::-1]
        if ahead:
            self._take(next((option for option in ahead if option.available), ahead[0]))

    def _take(self, option: Option) -> None:
        if option.reason:
            self.post_message(self.Refused(option.reason))
        elif option.value != self.value:
            self.value = option.value
            self.redraw()
            self.post_message(self.Changed(self))

    def _rows(self, width: int) -> list[list[tuple[int, Option]]]:
        """Return the options of each line with their first cells."""
        sizes = [len(option.label) + 2 for option in self._options]
        for gap in (2, 1):
            if sum(sizes) + gap * (len(sizes) - 1) <= width:
                starts = (sum(sizes[:i]) + gap * i for i in range(len(sizes)))
                return [list(zip(starts, self._options, strict=True))]
        column = max(sizes) + 2
        count = max(1, (width + 2) // column)
        return [
            [(i * column, option) for i, option in enumerate(self._options[first : first + count])]
            for first in range(0, len(self._options), count)
        ]

    def _item(self, option: Option) -> Content:
        if not option.available:
            return Content.styled(self.look.draw(f"– {option.label}"), FAINT)
        if option.value != self.value:
            return Content.styled(self.look.draw(f"○ {option.label}"), MUTED)
        style = f"{BOLD} {ACCENT}" if self.has_focus else BOLD
        return Content.styled(self.look.draw(f"● {option.label}"), style)
