"""What `towerlab` shows where there is no workspace yet: what it is, and three ways on."""

import shlex
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.text import safe_line
from tui.leaving import leave_on_signals
from tui.look import ACCENT, ANSI, BAD, BOLD, DARK, MUTED, THEMES
from tui.options import AppOptions


class WelcomeApp(App[list[str]]):
    """Ends with the arguments of the command that is to be run next, or with None.

    Args:
        options: how the app was started; `root` is the folder that would be the workspace.
    """

    CSS = """
    Screen { align: center middle; background: $background; }
    Vertical { width: 72; max-width: 96%; height: auto; padding: 1 2; }
    Static { height: auto; }
    Input { display: none; border: none; height: 1; background: $panel; margin-top: 1; }
    """
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    BINDINGS: ClassVar = [
        # With priority a key is done before the next one is read, so that none that is typed
        # quickly after the `s` of a path is taken for a command.
        Binding("t", "demo", show=False, priority=True),
        Binding("s", "set_up", show=False, priority=True),
        Binding("q", "leave", show=False, priority=True),
        Binding("ctrl+c,ctrl+q", "abandon", show=False, priority=True),
        Binding("escape", "put_away", show=False),
    ]
    animation_level = "none"

    def __init__(self, options: AppOptions) -> None:
        super().__init__()
        self._options = options
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = ANSI.name if options.color == "16" else DARK.name

    def compose(self) -> ComposeResult:
        """Make the parts."""
        folder = safe_line(str(self._options.root), limit=200)
        keys = (
            ("t", "try the demo", "real grocery data, a model in two minutes"),
            ("s", "set up from my files", "Parquet or CSV: a file or a folder"),
            ("q", "leave", "`towerlab --help` lists every command"),
        )
        with Vertical():
            yield Static(Content.styled("Towerlab", f"{BOLD} {ACCENT}"))
            yield Static(
                Content.styled(
                    "Quick tests of two-tower recommenders: small, real TFX pipelines, measured "
                    "against simple baselines, followed live, compared.",
                    MUTED,
                )
            )
            yield Static(Content(f"\nThere is no workspace in {folder} yet.\n"))
            for key, does, more in keys:
                yield Static(
                    Content.assemble(
                        (f"  {key}  ", f"{BOLD} {ACCENT}"), (f"{does:<22}", ""), (more, MUTED)
                    )
                )
            yield Input(placeholder="path of a file or folder, then Enter")
            yield Static("", id="problem")

    def on_mount(self) -> None:
        """Leave cleanly when the terminal goes."""
        leave_on_signals(lambda code: self.exit(return_code=code))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Return whether a key is a command: not while a path is typed."""
        del parameters
        return action not in {"demo", "set_up", "leave"} or not self.query_one(Input).display

    def action_demo(self) -> None:
        """Make the demo's workspace and open it."""
        self.exit(["demo"])

    def action_set_up(self) -> None:
        """Ask for the files."""
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: `focus()` waits

    def action_put_away(self) -> None:
        """Put the question away."""
        field = self.query_one(Input)
        self.set_focus(None)
        field.display = False
        field.value = ""
        self.query_one("#problem", Static).update("")

    def action_leave(self) -> None:
        """Leave."""
        self.exit(None)

    def action_abandon(self) -> None:
        """Leave, even while a path is typed."""
        self.exit(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Set up a workspace from the files."""
        try:
            paths = shlex.split(event.value)
        except ValueError:
            told = "A quote is not closed."
            self.query_one("#problem", Static).update(Content.styled(told, BAD))
            return
        missing = [path for path in paths if not (self._options.root / path).expanduser().exists()]
        if missing or not paths:
            told = f"There is no {safe_line(missing[0], limit=200)}." if missing else "Name a file."
            self.query_one("#problem", Static).update(Content.styled(told, BAD))
            return
        self.exit(["init", "--workspace", str(self._options.root), *paths])
