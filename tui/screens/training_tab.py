"""The Training tab: curves that grow while the run trains, then Recall@K and the result.

The curves come from the database, where the worker puts them after each epoch; the tab asks once a
second while the run goes on and it is on the screen. Wide terminals show four panels at once,
others one at a time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget

from engine.errors import EngineError
from engine.text import safe_line
from tui.actions import bindings
from tui.link import Asking, Link
from tui.look import BAD, BOLD, MUTED, Look
from tui.screens.training_charts import (
    error_chart,
    gradient_chart,
    hint,
    loss_chart,
    read_out,
    recall_chart,
)
from tui.widgets.line_block import LineBlock
from tui.widgets.line_chart import Chart, LineChart, legend
from tui.widgets.metrics_table import MetricsTable, has_result, with_interval

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail, TrainingHistory

_POLL_SECONDS = 1.0
_ALL_PANELS: Final = (100, 22)
"""Columns and rows from which on the four panels stand side by side."""
_RESULT, _LOSS, _RECALL, _GRADIENT = "result", "loss", "recall", "gradient"


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
            place: which of the panels this is, as "(1 of 4, c next)".
            chart: the curves.
            below: a line below the title.
            note: what stands in the place of a chart.
        """
        head = Content.assemble((title, BOLD), (f"  {place}" if place else "", MUTED))
        if chart is not None:
            head = head + "      " + legend(reversed(chart.series), self._look)
        self.query_one(Lines).show(head, *([below] if below is not None else []))
        self.query_one(LineChart).show(chart, Content.styled(note, MUTED))

    def mark(self, x: float | None) -> None:
        """Draw the read-out's line at an x, or none."""
        self.query_one(LineChart).mark(x)


class TrainingTab(Asking, Widget, can_focus=True):
    """How an experiment trains, and what came out.

    Args:
        link: to the engine.
        look: what the terminal can show.
        number: of the experiment.
    """

    DEFAULT_CSS: ClassVar[str] = """
    TrainingTab { height: 1fr; padding: 1 1 0 1; layout: vertical; }
    TrainingTab #problem { display: none; margin-bottom: 1; }
    TrainingTab.-problem #problem { display: block; }
    TrainingTab #panels { height: 1fr; max-width: 196; max-height: 56; }
    TrainingTab .panel { height: 1fr; display: none; max-height: 28; }
    TrainingTab #result { max-width: 100; scrollbar-size-vertical: 1; }
    TrainingTab .panel LineChart { height: 1fr; }
    TrainingTab .panel.-shown { display: block; }
    TrainingTab.-all #panels {
        layout: grid; grid-size: 2 2; grid-gutter: 1 3; grid-rows: 1fr; grid-columns: 1fr;
    }
    TrainingTab.-all .panel { display: block; }
    TrainingTab #read { height: 1; }
    TrainingTab.-early .panel, TrainingTab.-early #read { display: none; }
    TrainingTab.-early #panels { layout: vertical; }
    TrainingTab.-early #result { display: block; max-height: 100%; }
    """
    BINDINGS: ClassVar = [
        *bindings("log_scale", "next_chart", "read_left", "read_right", "down", "up")
    ]

    def __init__(self, link: Link, look: Look, number: int) -> None:
        super().__init__()
        self._link, self._look, self._number = link, look, number
        self._seen: ExperimentDetail | None = None
        self._history: TrainingHistory | None = None
        self._problem: EngineError | None = None
        self._loading = self._again = self._settled = False
        self._chosen: str | None = None
        self._log = False
        self._read: int | None = None
        """Index of the epoch that is read; None follows the newest."""

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Lines(self._look, id="problem")
        with Container(id="panels"):
            yield Panel(self._look, _LOSS)
            yield Panel(self._look, _RECALL)
            yield Panel(self._look, _GRADIENT)
            with VerticalScroll(id=_RESULT, classes="panel", can_focus=False):
                yield MetricsTable(self._look)
        yield Lines(self._look, id="read")

    def on_mount(self) -> None:
        """Ask for the curves every second."""
        self.set_interval(_POLL_SECONDS, self._poll)

    def on_resize(self, event: Resize) -> None:
        """Show as many panels as there is room for."""
        width, height = _ALL_PANELS
        self.set_class(event.size.width >= width and event.size.height >= height, "-all")
        self._draw()

    def show(self, seen: "ExperimentDetail") -> None:
        """Show a snapshot, and read the curves that belong to it."""
        self._settled = self._settled and seen.ended
        changed = seen != self._seen
        self._seen = seen
        if changed:
            self._draw()
        if not self._settled:
            self._read_curves()

    def action_log_scale(self) -> None:
        """Turn the logarithmic loss axis on or off."""
        self._log = not self._log
        self._draw()

    def action_next_chart(self) -> None:
        """Show the next panel where one is shown at a time."""
        if not self.has_class("-all"):
            order = self._order()
            self._chosen = order[(order.index(self._shown()) + 1) % len(order)]
            self._draw()

    def action_read_left(self) -> None:
        """Read the epoch before."""
        self._read_epoch(-1)

    def action_read_right(self) -> None:
        """Read the next epoch; after the newest one follows what comes."""
        self._read_epoch(1)

    def action_down(self) -> None:
        """Scroll the result."""
        self.query_one(f"#{_RESULT}").scroll_down(animate=False)

    def action_up(self) -> None:
        """Scroll the result back."""
        self.query_one(f"#{_RESULT}").scroll_up(animate=False)

    def _poll(self) -> None:
        if self._seen is not None and not self._settled and self.is_on_screen:
            self._read_curves()

    def _read_curves(self) -> None:
        """Read the curves, or once more when they are just being read."""
        self._again = self._loading
        if not self._loading:
            self._loading = True
            self._load()

    @work(group="curves")
    async def _load(self) -> None:
        ended = self._seen is not None and self._seen.ended
        try:
            history = await self._link.ask(lambda engine: engine.history(self._number))
            problem = None
        except EngineError as error:
            history, problem = self._history, error
        finally:
            self._loading = False
        self._settled = ended and problem is None and not self._again
        if (history, problem) != (self._history, self._problem):
            self._history, self._problem = history, problem
            self._draw()
        if self._again:
            self._read_curves()

    def _read_epoch(self, by: int) -> None:
        history = self._history
        if history is None:
            return
        last = len(history.epochs) - 1
        at = min(max((last if self._read is None else self._read) + by, 0), last)
        self._read = None if at == last else at
        self._draw_read_out()

    def _order(self) -> tuple[str, ...]:
        if self._seen is not None and self._seen.ended:
            return (_RESULT, _LOSS, _RECALL, _GRADIENT)
        return (_LOSS, _RECALL, _GRADIENT, _RESULT)

    def _shown(self) -> str:
        return self._chosen or self._order()[0]

    def _place(self, panel: str) -> str:
        if self.has_class("-all"):
            return ""
        order = self._order()
        return f"({order.index(panel) + 1} of {len(order)}, c next)"

    def _draw(self) -> None:
        seen, history = self._seen, self._history
        if seen is None or not self.is_mounted:
            return
        self._draw_problem()
        self.set_class(history is None, "-early")
        for panel in self.query(".panel"):
            panel.set_class(panel.id == self._shown(), "-shown")
        place = self._place(_RESULT) if history is not None else ""
        self.query_one(MetricsTable).show(seen, history, place)
        if history is None:
            return
        planned = 0 if seen.ended else seen.params.epochs
        self._draw_loss(loss_chart(history, planned=planned, log=self._log))
        self._panel(_GRADIENT).show(
            "Gradient norm",
            self._place(_GRADIENT),
            gradient_chart(history, planned=planned),
            note="The gradient norms of this run are not known.",
        )
        if seen.model_type == "ranking":
            self._draw_errors(error_chart(history, planned=planned))
        else:
            self._draw_recall(seen)
        self._draw_read_out()

    def _draw_loss(self, chart: Chart) -> None:
        title = "Loss"
        if chart.is_log:
            title = "Loss, log"
        elif chart.log:
            title = "Loss (log needs values above 0)"
        self._panel(_LOSS).show(title, self._place(_LOSS), chart, note="No losses are known.")

    def _draw_errors(self, chart: Chart | None) -> None:
        """Rating models have no Recall@K: their errors over the epochs take its place."""
        note = "The errors of this run's epochs are not known."
        self._panel(_RECALL).show("RMSE", self._place(_RECALL), chart, note=note)

    def _draw_recall(self, seen: "ExperimentDetail") -> None:
        chart = recall_chart(seen)
        # Where all panels are on the screen, the result beside it says so.
        alone = chart is not None and not self.has_class("-all")
        below = with_interval(seen.interval, self._look) if alone and seen.interval else None
        if not seen.ended:
            note = "Recall@K is measured on the test split at the end."
        elif has_result(seen) or seen.status == "completed":
            note = "This run has no Recall@K."
        else:
            note = "No Recall@K: the run ended before the test split was measured."
        self._panel(_RECALL).show("Recall@K", self._place(_RECALL), chart, below=below, note=note)

    def _draw_read_out(self) -> None:
        seen, history = self._seen, self._history
        if seen is None or history is None:
            return
        last = len(history.epochs) - 1
        at = last if self._read is None else min(self._read, last)
        x = None if self._read is None else float(history.epochs[at] + 1)
        self._panel(_LOSS).mark(x)
        self._panel(_GRADIENT).mark(x)
        line = read_out(history, at, seen.params.epochs, self._look)
        keys = hint("   arrows: epochs" if self._look.ascii else "   ← → epochs")
        room = self.content_size.width - line.cell_length
        self.query_one("#read", Lines).show(
            line + keys if last and keys.cell_length <= room else line
        )

    def _draw_problem(self) -> None:
        problem = self._problem
        self.set_class(problem is not None, "-problem")
        if problem is not None:
            lines = [Content.styled(safe_line(problem.message, limit=600), BAD)]
            if problem.hint:
                lines.append(Content.styled(safe_line(problem.hint, limit=600), MUTED))
            self.query_one("#problem", Lines).show(*lines)

    def _panel(self, name: str) -> Panel:
        return self.query_one(f"#{name}", Panel)
