"""The first screen: every experiment of the workspace as a card, with filters and what can be done.

Its first frame shows what `engine.glance` read before the engine was loaded; from then on the
engine answers.
"""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from engine.cards import CardPage
from engine.errors import EngineError
from engine.states import STATUSES
from engine.text import safe_line
from tui.actions import bindings
from tui.filters import LABELS, MODEL_TYPES, Filters
from tui.link import Asking, Link
from tui.look import ACCENT, BOLD, MUTED, WARNING, Look
from tui.messages import OpenExperiment, WorkspaceChanged
from tui.operations import Operations, can_be_cancelled
from tui.screens.confirm import Choose
from tui.widgets.card_list import PAGE, CardList
from tui.widgets.filter_bar import Chip, FilterBar, SearchInput
from tui.widgets.header import Header
from tui.widgets.key_bar import KeyBar

_TICK_SECONDS = 1.0
_AGE_SECONDS = 20.0


class ExperimentsScreen(Asking, Screen[None]):
    """The list of experiments.

    Args:
        link: to the engine.
        look: what the terminal can show.
        name: of the workspace.
        first: what is shown until the engine answers; None when that is unknown.
    """

    DEFAULT_CSS = """
    ExperimentsScreen { layout: vertical; }
    ExperimentsScreen #note { height: 1fr; max-width: 90; padding: 1 3; display: none; }
    ExperimentsScreen.-note #note { display: block; }
    ExperimentsScreen.-note CardList { display: none; }
    """
    AUTO_FOCUS = "CardList"
    BINDINGS: ClassVar = [
        *bindings("rerun", "promote", "cancel", "delete", "copy", "compare"),
        *bindings("clear_filter", "back"),
        # With priority: what is typed right after them must find the focus moved already.
        *bindings("filter", "new", priority=("filter", "new")),
    ]

    def __init__(self, link: Link, look: Look, name: str, first: CardPage | None) -> None:
        super().__init__()
        self._link, self._look = link, look
        self._workspace = name
        self._first = first
        self._all = first.total if first else 0
        self._operations = Operations(self, link, look)

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Header(self._look, self._workspace, readonly=self._link.readonly)
        yield FilterBar(self._look)
        yield CardList(self._look)
        yield Static("", id="note")
        yield KeyBar(self._look, readonly=self._link.readonly)

    def on_mount(self) -> None:
        """Show what is known already."""
        if self._first is not None:
            self._show_first(self._first)
        else:
            self._note(Content.styled("Reading the experiments …", MUTED))
        self.set_interval(_TICK_SECONDS, self._tick)
        self.set_interval(_AGE_SECONDS, self._grow_older)

    @property
    def _list(self) -> CardList:
        return self.query_one(CardList)

    @property
    def _filters(self) -> Filters:
        return self.query_one(FilterBar).filters

    def select(self, number: int) -> None:
        """Move the cursor to an experiment, wherever it is in the list."""
        self._find(number)

    def on_workspace_changed(self, _: WorkspaceChanged) -> None:
        """Read what is shown again."""
        self._reload()

    def on_screen_suspend(self) -> None:
        """Trust the first cards no longer."""
        self._first = None

    def on_screen_resume(self) -> None:
        """Read what may have changed behind another screen."""
        if self.is_mounted and self._first is None:
            self._reload()

    def on_card_list_needed(self, event: CardList.Needed) -> None:
        """Read the cards that came into view."""
        event.stop()
        self._load(event.offset)

    def on_card_list_opened(self, event: CardList.Opened) -> None:
        """Show an experiment."""
        event.stop()
        self.post_message(OpenExperiment(event.card.number))

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Show what matches now."""
        event.stop()
        self._search()

    def on_search_input_left(self, event: SearchInput.Left) -> None:
        """Go back to the list."""
        event.stop()
        self._list.focus()

    @work(exclusive=True, group="choose")
    async def on_chip_pressed(self, event: Chip.Pressed) -> None:
        """Ask for the value of a filter."""
        event.stop()
        field = event.field
        if field == "status":
            values: tuple[str, ...] = STATUSES
        elif field == "model_type":
            values = MODEL_TYPES
        else:
            try:
                choices = await self._link.ask(lambda engine: engine.filter_choices())
            except EngineError as error:
                self._tell(error)
                return
            values = getattr(choices, f"{field}s")
        current = getattr(self._filters, field)
        answer = await self.app.push_screen_wait(Choose(LABELS[field], values, current))
        if answer is not None:
            self.query_one(FilterBar).choose(field, answer)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave `/` and `n` to a text; most else needs an experiment that it can be done to."""
        del parameters
        if action in ("rerun", "promote", "cancel", "delete", "copy"):
            card = self._list.selected if self.is_mounted else None
            return card is not None and (action != "cancel" or can_be_cancelled(card))
        if action == "compare":
            return self.is_mounted and len(self._list.marked) > 1
        return action not in ("filter", "new") or not isinstance(self.focused, SearchInput)

    def action_filter(self) -> None:
        """Type search words."""
        self.query_one(FilterBar).focus_search()

    def action_clear_filter(self) -> None:
        """Show every experiment."""
        self.query_one(FilterBar).clear()

    def action_back(self) -> None:
        """Clear the marks, or else the filters, if there are any; otherwise stay."""
        if self._list.marked:
            self._list.unmark()
            self.refresh_bindings()
        else:
            self.action_clear_filter()
        self._list.focus()

    async def action_new(self) -> None:
        """Open the wizard."""
        await self._operations.new()

    def action_rerun(self) -> None:
        """Run the selected experiment again."""
        if card := self._list.selected:
            self._operations.rerun(card.number)

    def action_promote(self) -> None:
        """Run it on all rows on Google Cloud."""
        if card := self._list.selected:
            self._operations.promote(card.number)

    def action_cancel(self) -> None:
        """Cancel the selected experiment."""
        if card := self._list.selected:
            self._operations.cancel(card.number)

    def action_delete(self) -> None:
        """Delete the selected experiment."""
        if card := self._list.selected:
            self._operations.delete(card.number)

    def action_copy(self) -> None:
        """Copy the command that shows the selected experiment."""
        if card := self._list.selected:
            self._operations.copy(card.number)

    def action_compare(self) -> None:
        """Compare the marked experiments."""
        from tui.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(self._link, self._look, self._list.marked))

    @work(exclusive=True, group="page")
    async def _reload(self) -> None:
        offset = max(self._list.window(), 0)
        page = await self._read(offset)
        if page is None:
            return
        self._first = None
        if page.total and not page.items and offset:  # many were deleted elsewhere
            self._list.show_first(await self._read(0) or page)
        else:
            self._list.put(offset, page, fresh=True)
        await self._after(page)

    @work(exclusive=True, group="search")
    async def _search(self) -> None:
        page = await self._read(0)
        if page is not None:
            self._list.show_first(page)
            await self._after(page)

    @work(group="load")
    async def _load(self, offset: int) -> None:
        wanted = self._filters
        page = await self._read(offset)
        if page is not None and wanted == self._filters:
            self._list.put(offset, page, fresh=False)

    @work(exclusive=True, group="find")
    async def _find(self, number: int) -> None:
        arguments = self._filters.arguments()
        try:
            index = await self._link.ask(lambda engine: engine.position(number, **arguments))
        except EngineError as error:
            self._tell(error)
            return
        if index is None and self._filters.any:
            self.query_one(FilterBar).clear()
            return
        page = await self._read(max(0, (index or 0) - PAGE // 2))
        if page is not None and index is not None:
            self._list.put(max(0, index - PAGE // 2), page, fresh=True)
            self._list.jump(index)
            await self._after(page)

    async def _read(self, offset: int) -> CardPage | None:
        arguments = self._filters.arguments()
        try:
            return await self._link.ask(
                lambda engine: engine.cards(**arguments, limit=PAGE, offset=offset)
            )
        except EngineError as error:
            self._tell(error)
            return None

    async def _after(self, page: CardPage) -> None:
        """Show counts, and a note instead of an empty list."""
        try:
            counts = await self._link.ask(lambda engine: engine.status_counts())
        except EngineError as error:
            self._tell(error)
            return
        self._all = sum(counts.values())
        self.query_one(Header).show(running=counts["running"], waiting=counts["submitting"])
        self._show_state(page)

    def _show_first(self, page: CardPage) -> None:
        self._list.show_first(page)
        self._show_state(page)

    def _show_state(self, page: CardPage) -> None:
        self.query_one(FilterBar).show_count(page.total, self._all)
        self.refresh_bindings()
        if page.total:
            self.remove_class("-note")
        elif self._all:
            self._note(
                Content.assemble(
                    ("No experiment matches.\n\n", BOLD),
                    ("Esc", f"{BOLD} {ACCENT}"),
                    (f" shows all {self._all:,}.", MUTED),
                )
            )
        else:
            self._note(_welcome(self._look, readonly=self._link.readonly))

    def _tick(self) -> None:
        # Textual draws all of the screen above again when one below it changes.
        if self.is_active:
            self._list.tick()

    def _grow_older(self) -> None:
        if self.is_active:
            self._list.grow_older()

    def _note(self, told: Content) -> None:
        self.query_one("#note", Static).update(told)
        self.add_class("-note")

    def _tell(self, error: EngineError) -> None:
        """Say what is wrong: in the header where cards are shown, else in their place."""
        if self._list.total:
            self.query_one(Header).show(running=0, waiting=0, trouble=error.message)
            self.notify(
                safe_line(f"{error.message} {error.hint}", limit=400),
                severity="error",
                markup=False,
            )
            return
        self._note(
            Content.assemble(
                (safe_line(error.message, limit=600), f"{BOLD} {WARNING}"),
                "\n\n",
                (safe_line(error.hint, limit=600), MUTED),
            )
        )


def _welcome(look: Look, *, readonly: bool) -> Content:
    """Return what an empty workspace says."""
    keys = [] if readonly else [("n", "start a first experiment")]
    keys += [("?", "what the keys do"), ("q", "leave")]
    lines = [
        Content.styled("No experiments yet.", BOLD),
        Content(""),
        Content.styled(
            "Towerlab trains two-tower recommenders as quick tests: small, real TFX pipelines, "
            "measured against simple baselines, so that you can compare them and go on.",
            MUTED,
        ),
        Content(""),
        *(
            Content.assemble((f"  {look.draw(key)}  ", f"{BOLD} {ACCENT}"), does)
            for key, does in keys
        ),
    ]
    return Content("\n").join(lines)
