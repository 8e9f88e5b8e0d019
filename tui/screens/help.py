"""The help overlay: every key that counts where one is, from the registry of actions."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import ACTIONS, Action
from tui.look import ACCENT, BOLD, MUTED, Look


class HelpScreen(ModalScreen[None]):
    """Shows what the keys do; any of Esc, q, ? closes it.

    Args:
        look: what the terminal can show.
        here: ids of the actions that count where the help was opened.
    """

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll { width: 76; max-width: 96%; height: auto; max-height: 92%;
                                  border: round $accent; background: $surface; padding: 1 2;
                                  border-title-color: $accent; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,f1", "close", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, look: Look, here: Sequence[str]) -> None:
        super().__init__()
        self._look, self._here = look, here

    def compose(self) -> ComposeResult:
        """Make the box."""
        with VerticalScroll() as box:
            box.border_title = "Keys"
            yield Static(Content("\n").join(self._lines()))

    def action_close(self) -> None:
        """Leave."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Move by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _lines(self) -> list[Content]:
        groups: dict[str, list[Action]] = {}
        for action in ACTIONS.values():
            if action.id in self._here:
                groups.setdefault(action.group, []).append(action)
        lines: list[Content] = []
        for group, actions in groups.items():
            lines += (
                [Content(""), Content.styled(group, BOLD)]
                if lines
                else [Content.styled(group, BOLD)]
            )
            for action in _once(actions):
                keys = self._look.draw(action.key)
                lines.append(
                    Content.assemble((f"  {keys:<10}", f"{BOLD} {ACCENT}"), (action.help, ""))
                )
        lines += [Content(""), Content.styled("Runs go on when you leave. Esc closes this.", MUTED)]
        return lines


def _once(actions: Sequence[Action]) -> list[Action]:
    """Leave out the actions whose key another one shows together with its own, as "← →"."""
    pairs = [action for action in actions if " " in action.key]
    together = {key for action in pairs for key in action.key.split()}
    return [action for action in actions if action in pairs or action.key not in together]
