"""The first line of a screen: where one is, what runs, on which host."""

import socket
from collections.abc import Sequence

from textual.content import Content

from engine.text import safe_line
from tui.look import ACCENT, BOLD, MUTED, RUNNING, WARNING, Look
from tui.widgets.line_block import LineBlock


class Header(LineBlock):
    """Shows the program, the workspace, the runs and the host.

    Args:
        look: what the terminal can show.
        workspace: its name; foreign text.
        readonly: whether the app changes nothing.
    """

    DEFAULT_CSS = "Header { height: 1; background: $panel; padding: 0 1; }"

    def __init__(self, look: Look, workspace: str, *, readonly: bool) -> None:
        super().__init__(look)
        self._workspace = safe_line(workspace, limit=60)
        self._readonly = readonly
        self._active = self._waiting = 0
        self._trouble = ""
        self._host = safe_line(socket.gethostname(), limit=40)

    def show(self, *, running: int, waiting: int, trouble: str = "") -> None:
        """Show how many experiments run and wait, and what is wrong, if anything is."""
        self._active, self._waiting = running, waiting
        self._trouble = safe_line(trouble, limit=60)
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        left = [
            (" Towerlab"[1:], f"{BOLD} {ACCENT}"),
            (self.look.draw(" · "), MUTED),
            self._workspace,
        ]
        if self._readonly:
            left.append(("  read-only", WARNING))
        right: list[tuple[str, str]] = []
        if self._trouble:
            right.append((f"{self._trouble}   ", WARNING))
        if self._active:
            icon = self.look.icon("running")
            right.append((f"{icon} {self._active} running   ", RUNNING))
        if self._waiting:
            icon = self.look.icon("submitting")
            right.append((f"{icon} {self._waiting} waiting   ", RUNNING))
        right.append((self._host, MUTED))
        start, end = Content.assemble(*left), Content.assemble(*right)
        space = max(1, width - start.cell_length - end.cell_length)
        return [Content.assemble(start, " " * space, end)]
