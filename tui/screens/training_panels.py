"""The parts of the Training tab that hold one thing: lines, or a chart below its title."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui.look import BOLD, MUTED, Look
from tui.widgets.line_block import LineBlock
from tui.widgets.line_chart import Chart, LineChart, legend


class Lines(LineBlock):
    """Lines that are handed to it."""

    def __init__(self, look: Look, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(look, id=id)
        self._lines: tuple[Content, ...] = ()

    def show(self, *lines: Content) -> None:
        """Show these."""
        self._lines = lines
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return them, cut at the edge."""
        return [line.truncate(width, ellipsis=True) for line in self._lines]


def headline(title: str, place: str) -> Content:
    """Return the title of a panel, and which of the pages it is, as "(1 of 7, c next)"."""
    return Content.assemble((title, BOLD), (f"  {place}" if place else "", MUTED))


class Panel(Vertical):
    """A chart below its title and legend."""

    def __init__(self, look: Look, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="panel")
        self._look = look

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Lines(self._look)
        yield LineChart(self._look)

    def show(
        self,
        title: str,
        place: str,
        chart: Chart | None,
        *,
        below: Content | None = None,
        note: str = "",
    ) -> None:
        """Show a chart, or the note when there is none.

        Args:
            title: of the panel.
            place: which of the pages this is.
            chart: the curves.
            below: a line below the title.
            note: what stands in the place of a chart.
        """
        head = headline(title, place)
        if chart is not None:
            head = head + "   " + legend(reversed(chart.series), self._look)
        self.query_one(Lines).show(head, *([below] if below is not None else []))
        self.query_one(LineChart).show(chart, Content.styled(note, MUTED))

    def mark(self, x: float | None) -> None:
        """Draw the read-out's line at an x, or none."""
        self.query_one(LineChart).mark(x)
