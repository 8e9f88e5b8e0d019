"""A field: its label, what it is filled in with, and beneath it what is wrong with that."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from engine.text import safe_line
from tui.look import BAD, WARNING, Look
from tui.screens.wizard.draft import LABELS, LIMITS
from tui.screens.wizard.numbers import step
from tui.screens.wizard.own_keys import OwnKeys
from tui.widgets.line_input import LineInput

_NUMBER_LENGTH = 16


class TextInput(OwnKeys, LineInput):
    """The text of a field.

    Args:
        field: name of the field.
        placeholder: what an empty field means.
    """

    DEFAULT_CSS = """
    TextInput { background: $panel; padding: 0 1 !important; }
    TextInput:focus { background: $accent 20%; background-tint: $panel 0%; }
    TextInput:ansi:focus { background: ansi_default; }
    TextInput > .input--placeholder { color: $muted; }
    TextInput:ansi > .input--placeholder { color: ansi_default; text-style: dim; }
    """

    def __init__(self, field: str, placeholder: str = "") -> None:
        self.field = field
        limit = LIMITS.get(field, _NUMBER_LENGTH)
        super().__init__(placeholder, limit=limit, id=f"input-{field}")
        self.cursor_blink = False


class NumberInput(TextInput):
    """A number; up and down go through the usual values."""

    BINDINGS: ClassVar = [
        Binding("up", "step(1)", show=False),
        Binding("down", "step(-1)", show=False),
    ]

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.default = ""

    def propose(self, default: str, placeholder: str) -> None:
        """Say what an empty field means.

        Args:
            default: the value, "" while it isn't known.
            placeholder: how it is said.
        """
        self.default = default
        self.placeholder = placeholder

    def action_step(self, direction: int) -> None:
        """Go to the next usual value above or below."""
        self.value = step(self.field, self.value.strip(), self.default, direction)
        self.action_end()


class Field(Vertical):
    """A label and a control side by side.

    Args:
        look: what the terminal can show.
        field: its name.
        control: what takes the focus.
        label: in place of the field's own.
    """

    DEFAULT_CSS = """
    Field { height: auto; }
    Field:focus-within { text-style: none; }
    Field > Horizontal { height: auto; }
    Field .mark { width: 2; height: 1; color: $accent; visibility: hidden; }
    Field:focus-within .mark { visibility: visible; }
    Field .label { width: 14; height: 1; color: $muted; text-wrap: nowrap; }
    Field:focus-within .label { color: $accent; text-style: bold; }
    Field.-warned .label { color: $warning; }
    Field.-wrong .label { color: $error; }
    Field.-narrow .label { width: 6; }
    Field TextInput { width: 1fr; }
    Field .note { height: auto; padding: 0 0 0 2; display: none; }
    Field.-told .note { display: block; }
    """

    def __init__(self, look: Look, field: str, control: Widget, *, label: str = "") -> None:
        super().__init__(id=f"field-{field}")
        self.look = look
        self.field = field
        self.control = control
        self._label = label or LABELS[field]
        self._told = ("", "")

    def compose(self) -> ComposeResult:
        """Make the row and the note beneath."""
        with Horizontal():
            yield Static(Content(self.look.draw("▌")), classes="mark")
            yield Static(Content(self._label), classes="label")
            yield self.control
        yield Static("", classes="note")

    def tell(self, problem: str = "", warning: str = "") -> bool:
        """Show beneath the field what is wrong with it, or unusual; foreign texts.

        Returns:
            Whether that is news.
        """
        if (problem, warning) == self._told:
            return False
        self._told = (problem, warning)
        said = Content("")
        if problem:
            icon = self.look.icon("failed")
            said = Content.styled(f"{icon} {safe_line(problem, limit=600)}", BAD)
        elif warning:
            said = Content.styled(f"! {safe_line(warning, limit=600)}", WARNING)
        self.query_one(".note", Static).update(said)
        self.set_class(bool(problem or warning), "-told")
        self.set_class(bool(problem), "-wrong")
        self.set_class(bool(warning) and not problem, "-warned")
        return True

    def on_descendant_focus(self) -> None:
        """Bring the note into view too."""
        self.reveal()

    def reveal(self) -> None:
        """Scroll to the field once all is laid out."""
        self.call_after_refresh(self.scroll_visible, animate=False)
