"""Dialogs that ask one thing: yes or no, a choice of a list, or changes to a rerun."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import EngineError
from engine.text import safe_block, safe_line
from tui.look import ACCENT, BAD, BOLD, MUTED
from tui.widgets.line_input import LineInput


class Dialog(ModalScreen[str | None]):
    """A box in the middle of the screen; Esc leaves it with None."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > Vertical { width: 64; max-width: 94%; height: auto; max-height: 90%;
                        border: round $accent; background: $surface; padding: 1 2; }
    Dialog Static { height: auto; }
    Dialog OptionList, Dialog OptionList:focus {
        height: auto; max-height: 16; border: none; background: $surface; padding: 0;
        margin-top: 1; background-tint: $surface 0%;
    }
    Dialog OptionList > .option-list--option-highlighted,
    Dialog OptionList:focus > .option-list--option-highlighted {
        background: $accent; color: $background; text-style: bold;
    }
    Dialog Input, Dialog Input:focus {
        margin-top: 1; border: none; height: 1; background: $panel;
    }
    Dialog #keys { margin-top: 1; }
    """
    BINDINGS: ClassVar = [Binding("escape", "dismiss_none", show=False)]

    def action_dismiss_none(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class Confirm(Dialog):
    """Asks before something that cannot be taken back; `y` does it, anything else doesn't.

    Args:
        question: what is going to happen, to what; foreign text is made safe here.
        consequence: what that means.
        verb: of the key that does it.
        otherwise: what the other key does.
    """

    BINDINGS: ClassVar = [
        Binding("y", "yes", show=False),
        Binding("n,q", "dismiss_none", show=False),
    ]

    def __init__(
        self, question: str, consequence: str, *, verb: str, otherwise: str = "leave it"
    ) -> None:
        super().__init__()
        self._question, self._consequence = question, consequence
        self._verb, self._otherwise = verb, otherwise

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical():
            yield Static(Content.styled(safe_line(self._question, limit=300), BOLD))
            yield Static(Content.styled(safe_block(self._consequence, limit=600), MUTED))
            yield Static(
                Content.assemble(
                    ("y", f"{BOLD} {BAD}"),
                    f" {self._verb}    ",
                    ("n Esc", f"{BOLD} {ACCENT}"),
                    f" {self._otherwise}",
                ),
                id="keys",
            )

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss("yes")


class Choose(Dialog):
    """Asks for one of some values; typing narrows a long list.

    Args:
        title: what is chosen.
        values: what there is; foreign text.
        current: the one that holds; "" is "All".
        all_too: whether "All" can be chosen.
    """

    BINDINGS: ClassVar = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def __init__(
        self, title: str, values: Sequence[str], current: str, *, all_too: bool = True
    ) -> None:
        super().__init__()
        self._title, self._current = title, current
        self._values = ["", *values] if all_too else list(values)

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical():
            yield Static(Content.styled(self._title, BOLD))
            yield OptionList(
                *(Option(Content(safe_line(value, limit=60) or "All")) for value in self._values)
            )
            yield Static(
                Content.assemble(
                    ("Enter", f"{BOLD} {ACCENT}"),
                    " choose    ",
                    ("Esc", f"{BOLD} {ACCENT}"),
                    " back",
                ),
                id="keys",
            )

    def on_mount(self) -> None:
        """Begin at the value that holds."""
        choices = self.query_one(OptionList)
        if self._current in self._values:
            choices.highlighted = self._values.index(self._current)
        choices.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Leave with the value."""
        event.stop()
        self.dismiss(self._values[event.option_index])

    def action_cursor_down(self) -> None:
        """Move down."""
        self.query_one(OptionList).action_cursor_down()

    def action_cursor_up(self) -> None:
        """Move up."""
        self.query_one(OptionList).action_cursor_up()


class Rerun(Dialog):
    """Asks what is to be changed in a rerun, as `learning_rate=0.005 epochs=5`, and starts it.

    Args:
        number: of the experiment that is run again.
        name: its name; foreign text.
        params: what it ran with, to choose from.
        start: starts the rerun with the changes and returns its number, with which the dialog
            leaves; its EngineError is shown below what was typed.
    """

    def __init__(
        self,
        number: int,
        name: str,
        params: dict[str, str],
        start: Callable[[dict[str, str]], Awaitable[int]],
    ) -> None:
        super().__init__()
        self._number, self._name, self._params = number, name, params
        self._start = start

    def compose(self) -> ComposeResult:
        """Make the box."""
        shown = "   ".join(f"{key}={value}" for key, value in self._params.items())
        with Vertical():
            yield Static(
                Content.assemble(
                    (f"Rerun #{self._number} ", BOLD), safe_line(self._name, limit=120)
                )
            )
            yield Static(Content.styled(f"It ran with   {safe_line(shown, limit=300)}", MUTED))
            yield LineInput("changes, as learning_rate=0.005 epochs=5; none: as it was")
            yield Static("", id="problem")
            yield Static(
                Content.assemble(
                    ("Enter", f"{BOLD} {ACCENT}"),
                    " start    ",
                    ("Esc", f"{BOLD} {ACCENT}"),
                    " back",
                ),
                id="keys",
            )

    def on_mount(self) -> None:
        """Let the person type."""
        self.query_one(Input).focus()

    @work(exclusive=True)
    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start it and leave, unless something is wrong with the changes."""
        event.stop()
        words = event.value.split()
        wrong = [word for word in words if "=" not in word.strip("=")]
        if wrong:
            self._tell(f"{safe_line(wrong[0], limit=40)!r} is no change: write key=value.")
            return
        try:
            number = await self._start(dict(word.split("=", 1) for word in words))
        except EngineError as error:
            self._tell(safe_line(f"{error.message} {error.hint}".strip(), limit=400))
        else:
            self.dismiss(str(number))

    def _tell(self, problem: str) -> None:
        self.query_one("#problem", Static).update(Content.styled(problem, BAD))
