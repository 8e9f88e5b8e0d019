"""The Pipeline tab: what each component is doing, when it ran, and what it logged.

Snapshots come from the screen. What runs on between them, times and log, follows a timer of this
tab, which runs only while the experiment does and the tab can be seen. Logs of remote runs are
read when a component is chosen or `R` is pressed: every reading costs quota there.
"""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final

from textual import events, work
from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from engine.errors import EngineError
from engine.snapshots import ExperimentDetail
from engine.text import safe_line
from tui.actions import bindings
from tui.components import utc_now
from tui.link import Asking, Link
from tui.look import BAD, MUTED, Look
from tui.widgets.dag import Dag
from tui.widgets.gantt import Gantt
from tui.widgets.line_input import LineInput
from tui.widgets.log_entries import log_entries
from tui.widgets.log_head import LogHead, wrapped
from tui.widgets.log_table import LogTable
from tui.widgets.run_progress import RunProgress

_LINES: Final = 50
"""Log lines that are read."""
_TALL: Final = 26
"""Lines of the tab from which on there is room for the Gantt chart."""
_ERROR_LINES: Final = 4
"""Lines that an error of reading the log may take."""


class PipelineTab(Asking, Widget):
    """Components, times and logs of one experiment.

    Args:
        link: to the engine.
        look: what the terminal can show.
        number: of the experiment.
        clock: tells the time.
    """

    DEFAULT_CSS = """
    PipelineTab { height: 1fr; layout: vertical; padding: 0 1; }
    PipelineTab Dag { margin-top: 1; }
    PipelineTab RunProgress { margin-top: 1; }
    PipelineTab Gantt { margin-top: 1; display: none; }
    PipelineTab.-gantt Gantt { display: block; }
    PipelineTab LogHead { margin-top: 1; }
    PipelineTab Input, PipelineTab Input:focus { display: none; padding: 0 1; background: $panel; }
    PipelineTab.-search Input { display: block; }
    """
    BINDINGS: ClassVar = [
        # With priority: what is typed right after `/` must find the field focused already.
        *bindings(
            "next_component",
            "previous_component",
            "refresh_logs",
            "search_log",
            priority=("search_log",),
        ),
    ]

    def __init__(
        self, link: Link, look: Look, number: int, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__()
        self._link, self._look, self._number, self._clock = link, look, number, clock
        self._seen: ExperimentDetail | None = None
        self._component = ""
        self._chosen = False
        self._reading: Worker[None] | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Dag(self._look, clock=self._clock)
        yield RunProgress(self._look, self._clock)
        yield Gantt(self._look, clock=self._clock)
        yield LogHead(self._look)
        # Disabled while it can't be seen, so that the focus never goes there.
        yield LineInput("text that log lines contain", disabled=True)
        yield LogTable(self._look)

    def on_mount(self) -> None:
        """Make the timer."""
        self._timer = self.set_interval(1.0, self._tick, pause=True)

    def show(self, seen: ExperimentDetail) -> None:
        """Show a snapshot; while something runs, times and log follow by themselves."""
        before, self._seen = self._seen, seen
        shown = self._component
        if not self._chosen:
            self._component = _automatic(seen, shown)
        self._draw()
        self._run_timer()
        if before is None or self._component != shown:
            self._read_anew()
        elif _status(seen, shown) != _status(before, shown) or seen.ended != before.ended:
            self._read()

    @property
    def component(self) -> str:
        """The component whose log is shown."""
        return self._component

    def on_dag_chosen(self, event: Dag.Chosen) -> None:
        """Select the clicked component."""
        event.stop()
        self._choose(event.name)

    def on_log_table_filter_cleared(self, event: LogTable.FilterCleared) -> None:
        """Close the search."""
        event.stop()
        self._close_search()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is being typed."""
        event.stop()
        self._table.search(event.value)
        self._tell_count()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the lines that were found."""
        event.stop()
        if event.value:
            self._table.focus()
        else:
            self._close_search()

    def on_key(self, event: events.Key) -> None:
        """Leave the search: ↓ keeps it, Esc clears it."""
        if self._search.has_focus and event.key in ("escape", "down"):
            event.stop()
            event.prevent_default()
            if event.key == "down" and self._search.value:
                self._table.focus()
            else:
                self._close_search()

    def on_resize(self) -> None:
        """Fit what is shown to the height."""
        if self._seen is not None:
            self._draw()

    def on_show(self) -> None:
        """Go on following."""
        self._run_timer()

    def on_hide(self) -> None:
        """Follow nothing that nobody sees."""
        if self._timer is not None:
            self._timer.pause()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave `/` to a text that is being typed."""
        del parameters
        return action != "search_log" or not isinstance(self.screen.focused, Input)

    def action_next_component(self) -> None:
        """Select the next component."""
        self._choose_by(1)

    def action_previous_component(self) -> None:
        """Select the component before."""
        self._choose_by(-1)

    def action_refresh_logs(self) -> None:
        """Read the log again."""
        self._head.tell("reading …")
        self._read()

    def action_search_log(self) -> None:
        """Type what log lines are to contain."""
        self._search.disabled = False
        self.add_class("-search")
        self.screen.set_focus(self._search)

    @property
    def _table(self) -> LogTable:
        return self.query_one(LogTable)

    @property
    def _head(self) -> LogHead:
        return self.query_one(LogHead)

    @property
    def _search(self) -> LineInput:
        return self.query_one(LineInput)

    def _choose_by(self, step: int) -> None:
        if self._seen is None:
            return
        names = [component.name for component in self._seen.components]
        at = names.index(self._component) + step
        if 0 <= at < len(names):
            self._choose(names[at])

    def _choose(self, name: str) -> None:
        self._chosen = True
        if name != self._component:
            self._component = name
            self._draw()
            self._read_anew()

    def _draw(self) -> None:
        seen = self._seen
        if seen is None:
            return
        begun = any(component.started_at is not None for component in seen.components)
        self.set_class(self.size.height >= _TALL and begun, "-gantt")
        self.query_one(Dag).show(seen, self._component)
        self.query_one(RunProgress).show(seen)
        self.query_one(Gantt).show(seen, self._component)
        self._head.show(seen, self._component, max(2, self.size.height // 5))

    def _run_timer(self) -> None:
        if self._timer is None or self._seen is None:
            return
        if self._seen.ended:
            self._timer.pause()
        else:
            self._timer.resume()

    def _tick(self) -> None:
        if self._seen is None or not self.screen.is_current:
            return
        self.query_one(Dag).redraw()
        self.query_one(RunProgress).redraw()
        self.query_one(Gantt).redraw()
        waiting = self._reading is not None and self._reading.is_running
        if self._seen.backend == "local" and self._seen.status == "running" and not waiting:
            self._read()

    def _read_anew(self) -> None:
        """Read the log of another component."""
        self._table.restart([Content.styled(self._look.draw(" Reading the log …"), MUTED)])
        self._head.tell("")
        self._read()

    def _read(self) -> None:
        self._reading = self._read_log(self._component)

    @work(exclusive=True, group="log")
    async def _read_log(self, component: str) -> None:
        number = self._number
        try:
            entries = await self._link.ask(
                lambda engine: log_entries(engine.logs(number, component, limit=_LINES))
            )
        except EngineError as error:
            self._tell_error(error)
            return
        self._table.show(entries, [Content.styled(f" {self._silence(component)}", MUTED)])
        self._tell_count()

    def _tell_error(self, error: EngineError) -> None:
        """Show why the log can't be read; lines that were read before stay."""
        told = Content.assemble(
            (safe_line(error.message), BAD), f" {safe_line(error.hint)}" if error.hint else ""
        )
        if self._table.counts[1]:
            self._head.tell(told.plain, BAD)
            return
        self._head.tell("")
        self._table.show((), wrapped(told, self._table.size.width, _ERROR_LINES, self._look))

    def _silence(self, component: str) -> str:
        """Return why there are no lines."""
        seen = self._seen
        status = _status(seen, component) if seen else ""
        if status == "pending":
            return f"{component} did not begin." if seen and seen.ended else "It has not begun."
        return "No lines yet." if status == "running" else "It logged nothing."

    def _tell_count(self) -> None:
        shown, count = self._table.counts
        if self._table.filter:
            self._head.tell(f"{shown} of {count} lines · Esc shows all")
            return
        lines = f"{count} newest" if count == _LINES else f"{count} line{'s' * (count != 1)}"
        self._head.tell(f"{lines} · R refreshes · / searches" if count else "R refreshes")

    def _close_search(self) -> None:
        self.remove_class("-search")
        self._search.value = ""
        self._search.disabled = True
        self._table.search("")
        self._tell_count()
        self._table.focus()


def _status(seen: ExperimentDetail, component: str) -> str:
    return next((c.status for c in seen.components if c.name == component), "")


def _automatic(seen: ExperimentDetail, before: str) -> str:
    """Return the component at work, else the one where the run ended, else the last that began.

    Before the run begins that is the first; between two components the one before stays.
    """

    def first(*statuses: str) -> str | None:
        return next((c.name for c in seen.components if c.status in statuses), None)

    at_work = first("running")
    if at_work is None and not seen.ended:
        begun = [c.name for c in seen.components if c.status != "pending"]
        return (before or begun[-1]) if begun else seen.components[0].name
    return at_work or first("failed") or first("cancelled") or seen.components[-1].name
