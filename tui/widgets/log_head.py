"""`LogHead`: what stands above a log, why its component failed and the log's title."""

from collections.abc import Sequence
from typing import Final

from textual.content import Content

from engine.snapshots import ExperimentDetail
from engine.spec.run_folder import RunError
from engine.text import safe_block, safe_line
from tui.look import BAD, BOLD, MUTED, WARNING, Look
from tui.widgets.line_block import LineBlock

_MOST: Final = 2_000
"""Characters of an error that are looked at."""


class LogHead(LineBlock):
    """What stands above the log: why the component failed, and the log's title."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._seen: ExperimentDetail | None = None
        self._component = ""
        self._room = 0
        self._facts: tuple[str, str] = ("", MUTED)

    def show(self, seen: ExperimentDetail, component: str, room: int) -> None:
        """Show a component's title and error.

        Args:
            seen: the experiment.
            component: that is selected.
            room: lines that a message may take.
        """
        self._seen, self._component, self._room = seen, component, room
        self.redraw()

    def tell(self, facts: str, style: str = MUTED) -> None:
        """Show a few words at the right end of the title."""
        if (facts, style) != self._facts:
            self._facts = (facts, style)
            self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return error and title."""
        if self._seen is None:
            return [Content()]
        error = _error_of(self._seen, self._component)
        told = [] if error is None else self._failure(self._seen, error, width)
        left = Content.styled(f" {self._component} log", BOLD)
        room = max(width - left.cell_length - 3, 0)
        facts = Content.styled(self.look.draw(self._facts[0]), self._facts[1])
        facts = facts.truncate(room, ellipsis=True)
        gap = max(width - left.cell_length - facts.cell_length - 1, 0)
        return [*told, left + " " * gap + facts]

    def _failure(self, seen: ExperimentDetail, error: RunError, width: int) -> list[Content]:
        failed = seen.status == "failed"
        what = error.component or ("The run" if failed else "It")
        style = BAD if failed else WARNING
        word = "failed" if failed else "waits"
        icon = self.look.icon("failed" if failed else "warning")
        lines = [Content.assemble(" ", (f"{icon} {what} {word}", f"{BOLD} {style}"))]
        lines += wrapped(
            Content(safe_block(error.message, limit=_MOST)), width, self._room, self.look
        )
        if error.hint:
            hint = Content.assemble(("Fix: ", BOLD), safe_line(error.hint, limit=_MOST))
            lines += wrapped(hint, width, self._room, self.look)
        return [*lines, Content()]


def wrapped(text: Content, width: int, most: int, look: Look) -> list[Content]:
    """Return an indented text in at most so many lines; a mark says that there is more."""
    lines = text.wrap(max(width - 4, 10))
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + look.draw(" …")]
    return [Content("   ") + line for line in lines]


def _error_of(seen: ExperimentDetail, component: str) -> RunError | None:
    error = seen.error
    return error if error is not None and error.component in (None, component) else None
