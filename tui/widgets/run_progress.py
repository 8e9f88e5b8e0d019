"""`RunProgress`: how far a run is, in one line."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from textual.content import Content

from engine.snapshots import ExperimentDetail
from engine.text import safe_line
from tui.cards import progress_words
from tui.look import BOLD, FAINT, MUTED, RUNNING, Look
from tui.widgets.line_block import LineBlock

_BAR: Final = 30
_LEAST_BAR: Final = 6
"""Cells of the progress bar, and of one where there is hardly any room."""


class RunProgress(LineBlock):
    """How far the run is: bar, percent, stage, remaining time."""

    def __init__(self, look: Look, clock: Callable[[], datetime]) -> None:
        super().__init__(look)
        self._clock = clock
        self._seen: ExperimentDetail | None = None

    def show(self, seen: ExperimentDetail) -> None:
        """Show a snapshot; nothing of an experiment that has ended."""
        self._seen = seen
        self.display = not seen.ended
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        seen = self._seen
        if seen is None:
            return [Content()]
        share = seen.progress or 0.0
        stage = safe_line(seen.stage or seen.status, limit=60)
        words = progress_words(seen, self._clock())
        told = Content.assemble(
            (f"  {share:4.0%}", BOLD), f"   {stage}", (f"   {words}" if words else "", MUTED)
        )
        room = width - told.cell_length - 1
        done, left = self.look.bar(share, min(_BAR, width // 3, max(room, _LEAST_BAR)))
        return [
            Content.assemble(
                " ",
                (done, RUNNING),
                (left, FAINT),
                told,
            )
        ]
