"""The Training tab: curves that grow while the run trains, the result, and what became of weights.

The curves come from the database, where the worker puts them after each epoch; the tab asks once a
second while the run goes on and it is on the screen. Histograms are a file of the run's, read when
they are first looked at. Wide terminals show four panels a page, others one or two.
"""

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual import work
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget

from engine.errors import EngineError
from engine.text import safe_line
from tui.actions import bindings
from tui.link import Asking, Link
from tui.look import BAD, MUTED, Look
from tui.screens.training_charts import (
    error_chart,
    gradient_chart,
    hint,
    loss_chart,
    norm_chart,
    read_out,
    recall_chart,
    weights_read_out,
)
from tui.screens.training_histograms import HistogramPanel
from tui.screens.training_panels import Lines, Panel
from tui.screens.training_vocabularies import VocabularyPanel
from tui.widgets.line_chart import Chart
from tui.widgets.metrics_table import MetricsTable, has_result, with_interval

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail, TrainingHistory
    from engine.spec.run_folder import Histograms

_POLL_SECONDS = 1.0
_FOUR_PANELS: Final = (100, 22)
"""Columns and rows from which on four panels stand on a page."""
_RESULT, _LOSS, _RECALL, _GRADIENT = "result", "loss", "recall", "gradient"
_L2, _L1, _HISTOGRAM, _VOCABULARY = "norm-l2", "norm-l1", "histogram", "vocabulary"
_NORMS: Final[dict[str, Literal["l1", "l2"]]] = {_L2: "l2", _L1: "l1"}
_Pages = tuple[tuple[str, ...], ...]
_WIDE: Final[_Pages] = (
    (_LOSS, _RECALL, _GRADIENT, _RESULT),
    (_L2, _HISTOGRAM, _L1, _VOCABULARY),
)
_SMALL: Final[_Pages] = (
    (_LOSS,),
    (_RECALL,),
    (_GRADIENT,),
    (_RESULT,),
    (_L2, _L1),
    (_HISTOGRAM,),
    (_VOCABULARY,),
)
_ENDED: Final[_Pages] = ((_RESULT,), *(page for page in _SMALL if page != (_RESULT,)))
"""Of a run that has ended the result comes first."""
_LATER = "come when the Trainer has ended."


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
    TrainingTab .panel { height: 1fr; display: none; max-height: 28; scrollbar-size-vertical: 1; }
    TrainingTab #result { max-width: 100; }
    TrainingTab .panel LineChart { height: 1fr; }
    TrainingTab .panel.-shown { display: block; }
    TrainingTab.-four #panels {
        layout: grid; grid-size: 2 2; grid-gutter: 1 3; grid-rows: 1fr; grid-columns: 1fr;
    }
    TrainingTab #read { height: 1; }
    TrainingTab.-early #read { display: none; }
    TrainingTab.-early #panels { layout: vertical; }
    TrainingTab.-early #result { max-height: 100%; }
    """
    BINDINGS: ClassVar = [
        *bindings("log_scale", "next_chart", "previous_chart", "next_histogram", "next_layer"),
        *bindings("read_left", "read_right", "down", "up"),
    ]

    def __init__(self, link: Link, look: Look, number: int) -> None:
        super().__init__()
        self._link, self._look, self._number = link, look, number
        self._seen: ExperimentDetail | None = None
        self._history: TrainingHistory | None = None
        self._histograms: Histograms | EngineError | None = None
        self._problem: EngineError | None = None
        self._loading = self._again = self._settled = False
        self._chosen: str | None = None
        """A panel of the page that is shown; None is the first page."""
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
            yield Panel(self._look, _L2)
            yield HistogramPanel(self._look, _HISTOGRAM)
            yield Panel(self._look, _L1)
            yield VocabularyPanel(self._look, _VOCABULARY)
        yield Lines(self._look, id="read")

    def on_mount(self) -> None:
        """Ask for the curves every second."""
        self.set_interval(_POLL_SECONDS, self._poll)

    def on_resize(self, event: Resize) -> None:
        """Show as many panels as there is room for."""
        width, height = _FOUR_PANELS
        self.set_class(event.size.width >= width and event.size.height >= height, "-four")
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what belongs to a panel only where it is shown."""
        del parameters
        if action in ("next_histogram", "next_layer"):
            return _HISTOGRAM in self._page
        return action != "log_scale" or _LOSS in self._page

    def action_log_scale(self) -> None:
        """Turn the logarithmic loss axis on or off."""
        self._log = not self._log
        self._draw()

    def action_next_chart(self) -> None:
        """Show the next page."""
        self._turn(1)

    def action_previous_chart(self) -> None:
        """Show the page before."""
        self._turn(-1)

    def action_next_histogram(self) -> None:
        """Show the histograms of something else."""
        self.query_one(HistogramPanel).next_subject()

    def action_next_layer(self) -> None:
        """Show the weights of the next layer."""
        self.query_one(HistogramPanel).next_layer()

    def action_read_left(self) -> None:
        """Read the epoch before."""
        self._read_epoch(-1)

    def action_read_right(self) -> None:
        """Read the next epoch; after the newest one follows what comes."""
        self._read_epoch(1)

    def action_down(self) -> None:
        """Scroll the table that is shown."""
        for table in self.query(VerticalScroll):
            table.scroll_down(animate=False)

    def action_up(self) -> None:
        """Scroll the table back."""
        for table in self.query(VerticalScroll):
            table.scroll_up(animate=False)

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

    @work(exclusive=True, group="histograms")
    async def _load_histograms(self) -> None:
        try:
            found = await self._link.ask(lambda engine: engine.histograms(self._number))
        except EngineError as error:
            found = error
        self._histograms = found
        self._draw()

    def _read_epoch(self, by: int) -> None:
        history = self._history
        if history is None:
            return
        last = len(history.epochs) - 1
        at = min(max((last if self._read is None else self._read) + by, 0), last)
        self._read = None if at == last else at
        self._draw_read_out()

    def _turn(self, by: int) -> None:
        if self._history is not None:
            pages = self._pages
            self._chosen = pages[(pages.index(self._page) + by) % len(pages)][0]
            if isinstance(self._histograms, EngineError):
                self._histograms = None  # it may be there by now
            self._draw()

    @property
    def _pages(self) -> _Pages:
        if self.has_class("-four"):
            return _WIDE
        return _ENDED if self._seen is not None and self._seen.ended else _SMALL

    @property
    def _page(self) -> tuple[str, ...]:
        """The panels that are shown."""
        if self._history is None:
            return (_RESULT,)
        pages = self._pages
        return next((page for page in pages if self._chosen in page), pages[0])

    def _place(self, panel: str) -> str:
        page = self._page
        if self.has_class("-four") or self._history is None or panel != page[0]:
            return ""
        return f"({self._pages.index(page) + 1} of {len(self._pages)}, c next)"

    def _draw(self) -> None:
        seen, history = self._seen, self._history
        if seen is None or not self.is_mounted:
            return
        self._draw_problem()
        self.set_class(history is None, "-early")
        self._show_page(self._page)
        self.query_one(MetricsTable).show(seen, history, self._place(_RESULT))
        if history is None:
            return
        self._draw_curves(seen, history)
        self._draw_weights(seen, history)
        self._draw_read_out()

    def _show_page(self, page: tuple[str, ...]) -> None:
        before = {panel.id for panel in self.query(".-shown")}
        for panel in self.query(".panel"):
            panel.set_class(panel.id in page, "-shown")
        if before != set(page):
            self.refresh_bindings()

    def _draw_curves(self, seen: "ExperimentDetail", history: "TrainingHistory") -> None:
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
        # Where the result stands beside it, that says so.
        alone = chart is not None and not self.has_class("-four")
        below = with_interval(seen.interval, self._look) if alone and seen.interval else None
        if not seen.ended:
            note = "Recall@K is measured on the test split at the end."
        elif has_result(seen) or seen.status == "completed":
            note = "This run has no Recall@K."
        else:
            note = "No Recall@K: the run ended before the test split was measured."
        self._panel(_RECALL).show("Recall@K", self._place(_RECALL), chart, below=below, note=note)

    def _draw_weights(self, seen: "ExperimentDetail", history: "TrainingHistory") -> None:
        missing = "of this run are not known." if seen.ended else _LATER
        note = f"The norms of the weights {missing}"
        for panel, norm in _NORMS.items():
            title = f"Weight norm, {norm.upper()}"
            chart = norm_chart(history, norm)
            self._panel(panel).show(title, self._place(panel), chart, note=note)
        self.query_one(VocabularyPanel).show(
            history.vocabularies, self._place(_VOCABULARY), f"The vocabularies {missing}"
        )
        if seen.ended and self._histograms is None and _HISTOGRAM in self._page:
            self._load_histograms()
        found = self._histograms if seen.ended else f"The histograms {_LATER}"
        self.query_one(HistogramPanel).show(found, self._place(_HISTOGRAM))

    def _draw_read_out(self) -> None:
        seen, history = self._seen, self._history
        if seen is None or history is None:
            return
        last = len(history.epochs) - 1
        at = last if self._read is None else min(self._read, last)
        x = None if self._read is None else float(history.epochs[at] + 1)
        for panel in (_LOSS, _GRADIENT, _L2, _L1):
            self._panel(panel).mark(x)
        self.query_one(HistogramPanel).mark(None if x is None else history.epochs[at])
        if _L2 in self._page or _HISTOGRAM in self._page:
            line = weights_read_out(history, at, seen.params.epochs)
        else:
            line = read_out(history, at, seen.params.epochs, self._look)
        self.query_one("#read", Lines).show(self._with_keys(line, several=last > 0))

    def _with_keys(self, line: Content, *, several: bool) -> Content:
        """Return a read-out followed by the keys that it has room for."""
        keys = [("arrows: epochs" if self._look.ascii else "← → epochs")] if several else []
        if self.has_class("-four"):
            other = "weights" if _LOSS in self._page else "curves"
            keys.append(f"c {other}")
        for key in keys:
            if line.cell_length + len(key) + 3 <= self.content_size.width:
                line += hint(f"   {key}")
        return line

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
