"""One experiment: its title, and tabs that are loaded when they are opened.

The engine's newest snapshot is handed to the open tab; a tab never polls the database itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import EngineError, NotFound
from engine.formats import duration
from engine.text import safe_line
from tui.actions import bindings
from tui.link import Asking, Link
from tui.look import BAD, BOLD, MUTED, STATUS_STYLE, Look
from tui.messages import WorkspaceChanged
from tui.operations import Operations, can_be_cancelled
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_block import LineBlock
from tui.widgets.tab_bar import TabBar

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail

TABS = ("Overview", "Pipeline", "Data", "Training")


class Tab(Protocol):
    """What a tab can do."""

    def show(self, seen: "ExperimentDetail") -> None:
        """Show a snapshot; called once after mounting and for each newer one while visible."""
        ...


class Title(LineBlock):
    """Number, name, status with elapsed time, model type, backend."""

    DEFAULT_CSS = "Title { height: 1; background: $panel; padding: 0 1; }"

    def __init__(self, look: Look, number: int) -> None:
        super().__init__(look)
        self._number = number
        self._seen: ExperimentDetail | None = None

    def show(self, seen: "ExperimentDetail | None") -> None:
        """Show a snapshot; the number alone where there is none."""
        self._seen = seen
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        seen = self._seen
        if seen is None:
            return [Content.styled(f"#{self._number}", BOLD)]
        status = seen.intent or seen.status
        style = STATUS_STYLE[status]
        right = Content.assemble(
            (f"{self.look.icon(status)} {status}", style),
            (f" {elapsed(seen)}", style if not seen.ended else MUTED),
            (f"   {seen.model_type.upper()}   {seen.backend}", MUTED),
        )
        room = max(width - right.cell_length - 2, 8)
        name = safe_line(seen.name, limit=200)
        left = Content.assemble((f"#{seen.number}", BOLD), "  ", (name, BOLD))
        left = left.truncate(room, ellipsis=True)
        return [left + " " * (width - left.cell_length - right.cell_length) + right]


def elapsed(seen: "ExperimentDetail") -> str:
    """Return how long an experiment took, or takes so far; "" before it starts."""
    if seen.started_at is None:
        return ""
    end = seen.ended_at or datetime.now(UTC)
    return duration((end - seen.started_at).total_seconds())


class ExperimentScreen(Asking, Screen[None]):
    """An experiment.

    Args:
        link: to the engine.
        look: what the terminal can show.
        number: of the experiment.
        tab: the index of the tab that is open at first; chosen by the status when None.
    """

    DEFAULT_CSS = """
    ExperimentScreen { layout: vertical; }
    ExperimentScreen #tab { height: 1fr; }
    ExperimentScreen #note { height: 1fr; padding: 1 3; display: none; }
    ExperimentScreen.-note #note { display: block; }
    ExperimentScreen.-note #tab { display: none; }
    """
    BINDINGS: ClassVar = [
        *bindings(
            "previous_tab", "next_tab", "rerun", "promote", "cancel", "delete", "copy", "back"
        ),
    ]
    AUTO_FOCUS = ""

    def __init__(self, link: Link, look: Look, number: int, *, tab: int | None = None) -> None:
        super().__init__()
        self.number = number
        self._link, self._look = link, look
        self._open = tab
        self._tabs: dict[int, Widget] = {}
        self._seen: ExperimentDetail | None = None
        self._operations = Operations(self, link, look)

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Title(self._look, self.number)
        yield TabBar(self._look, TABS)
        yield Container(id="tab")
        yield Static("", id="note")
        yield KeyBar(self._look, readonly=self._link.readonly)

    def on_mount(self) -> None:
        """Read the experiment."""
        self._note(Content.styled(f"Reading #{self.number} …", MUTED))
        self._load()
        self.set_interval(1.0, self._tick)

    def on_workspace_changed(self, _: WorkspaceChanged) -> None:
        """Read the experiment again."""
        self._load()

    def on_screen_resume(self) -> None:
        """Read what may have changed behind another screen."""
        if self._seen is not None:
            self._load()

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Open the clicked tab."""
        event.stop()
        self._show_tab(event.index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to cancel only what can be cancelled."""
        del parameters
        return action != "cancel" or (self._seen is not None and can_be_cancelled(self._seen))

    def action_next_tab(self) -> None:
        """Open the next tab."""
        self._show_tab(((self._open or 0) + 1) % len(TABS))

    def action_previous_tab(self) -> None:
        """Open the tab before."""
        self._show_tab(((self._open or 0) - 1) % len(TABS))

    def action_back(self) -> None:
        """Return to the list."""
        self.dismiss(None)

    def action_rerun(self) -> None:
        """Run it again."""
        self._operations.rerun(self.number)

    def action_promote(self) -> None:
        """Run it on all rows on Google Cloud."""
        self._operations.promote(self.number)

    def action_cancel(self) -> None:
        """Cancel it."""
        self._operations.cancel(self.number)

    def action_delete(self) -> None:
        """Delete it."""
        self._operations.delete(self.number)

    def action_copy(self) -> None:
        """Copy the command that shows it."""
        self._operations.copy(self.number)

    @work(exclusive=True, group="experiment")
    async def _load(self) -> None:
        try:
            seen = await self._link.ask(lambda engine: engine.get(self.number))
        except NotFound as error:
            gone = f"#{self.number} was deleted." if self._seen else error.message
            self.query_one(Title).show(None)
            self._note(Content.assemble((gone, BOLD), "\n\n", ("Esc goes back.", MUTED)))
            return
        except EngineError as error:
            self._note(
                Content.assemble(
                    (safe_line(error.message, limit=600), BAD),
                    "\n\n",
                    (safe_line(error.hint, limit=600), MUTED),
                )
            )
            return
        self._seen = seen
        self.refresh_bindings()
        self.remove_class("-note")
        self.query_one(Title).show(seen)
        if self._open is None:
            self._open = 0 if seen.ended and seen.status != "failed" else 1
        self.call_next(self._bring, self._open)

    def _show_tab(self, index: int) -> None:
        self._open = index
        if self._seen is not None:
            self.call_next(self._bring, index)

    async def _bring(self, index: int) -> None:
        """Mount a tab if it never was, show it alone, and hand it the snapshot.

        Not part of a worker: one that is cancelled while it mounts never gives the tab the focus.
        """
        self.query_one(TabBar).show(index)
        tab = self._tabs.get(index)
        opened = tab is None or not tab.display
        if tab is None:
            tab = self._tabs[index] = self._make(index)
            await self.query_one("#tab").mount(tab)
        for other, widget in self._tabs.items():
            widget.display = other == index
        if self._seen is not None:
            _as_tab(tab).show(self._seen)
        if opened:
            self._focus_into(tab)

    def _make(self, index: int) -> Widget:
        if TABS[index] == "Pipeline":
            from tui.screens.pipeline_tab import PipelineTab

            return PipelineTab(self._link, self._look, self.number)
        if TABS[index] == "Data":
            from tui.screens.data_tab import DataTab

            return DataTab(self._link, self._look, self.number)
        if TABS[index] == "Training":
            from tui.screens.training_tab import TrainingTab

            return TrainingTab(self._link, self._look, self.number)
        from tui.screens.overview_tab import OverviewTab

        return OverviewTab(self._link, self._look, self.number)

    def _focus_into(self, tab: Widget) -> None:
        for widget in (tab, *tab.query("*")):
            if widget.focusable:
                widget.focus()
                return

    def _tick(self) -> None:
        if self._seen is not None and not self._seen.ended:
            self.query_one(Title).redraw()

    def _note(self, told: Content) -> None:
        self.query_one("#note", Static).update(told)
        self.add_class("-note")


def _as_tab(widget: Widget) -> Tab:
    return widget  # pyright: ignore[reportReturnType] - every tab of `_make` has the method
