"""Two to four experiments side by side, and whether a difference is larger than its uncertainty.

Wide terminals show table, verdicts and losses at once, others a page at a time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen

from engine.errors import EngineError
from engine.text import safe_line
from tui.actions import bindings
from tui.exports import export
from tui.link import Asking, Link
from tui.look import ACCENT, BOLD, MUTED, WARNING, Look
from tui.screens.compare_drawing import loss_chart, table_lines, verdict_lines
from tui.screens.compare_export import FORMATS, exported
from tui.screens.confirm import Choose
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_block import LineBlock
from tui.widgets.line_chart import LineChart, legend
from tui.widgets.tab_bar import TabBar

if TYPE_CHECKING:
    from engine.analysis.comparison import Comparison
    from engine.api import Engine
    from engine.snapshots import TrainingHistory

PAGES: Final = ("Table", "Verdicts", "Loss")
_WIDE: Final = 100
_LOSS_LEGEND = "Validation loss"


class CompareHead(LineBlock):
    """What is compared, and how it is shown."""

    DEFAULT_CSS = "CompareHead { height: 1; background: $panel; padding: 0 1; }"

    def __init__(self, look: Look, numbers: Sequence[int]) -> None:
        super().__init__(look)
        self._numbers = numbers
        self._differences = False

    def show(self, *, only_differences: bool) -> None:
        """Show whether rows are left out."""
        self._differences = only_differences
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        named = "  ".join(f"#{number}" for number in self._numbers)
        left = Content.assemble(
            (f"Compare {len(self._numbers)}", f"{BOLD} {ACCENT}"), f"   {named}"
        )
        right = Content.styled("differences only" if self._differences else "all rows", MUTED)
        return [left + " " * max(width - left.cell_length - right.cell_length, 1) + right]


class ComparisonLines(LineBlock):
    """The table, or the verdicts, of a comparison."""

    def __init__(self, look: Look, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(look, id=id)
        self._found: Comparison | None = None
        self._names: Mapping[int, str] = {}
        self._told = Content("")
        self._differences = False

    def show(
        self, found: "Comparison", names: Mapping[int, str], *, only_differences: bool
    ) -> None:
        """Show a comparison of experiments with these names."""
        self._found, self._names, self._differences = found, names, only_differences
        self.redraw()

    def tell(self, told: Content) -> None:
        """Show a text instead."""
        self._found, self._told = None, told
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the lines."""
        if self._found is None:
            return self._told.wrap(max(width, 10))
        if self.id == "verdicts":
            return list(verdict_lines(self._found, width, self.look))
        only = self._differences
        return list(table_lines(self._found, self._names, width, self.look, only_differences=only))


class CompareScreen(Asking, Screen[None]):
    """A comparison.

    Args:
        link: to the engine.
        look: what the terminal can show.
        numbers: of the experiments, in the order of the columns; the first is the baseline.
    """

    DEFAULT_CSS = """
    CompareScreen { layout: vertical; }
    CompareScreen #table-page { height: 1fr; padding: 1 2 0 2; scrollbar-size-vertical: 1; }
    CompareScreen #below { height: 14; padding: 1 2 0 2; }
    CompareScreen #verdict-page { width: 1fr; scrollbar-size-vertical: 1; }
    CompareScreen #loss-page { width: 1fr; margin-left: 3; layout: vertical; }
    CompareScreen LineChart { height: 1fr; }
    CompareScreen TabBar { display: none; }
    CompareScreen.-narrow TabBar { display: block; }
    CompareScreen.-narrow #below { height: 1fr; }
    CompareScreen.-narrow #loss-page { margin-left: 0; }
    CompareScreen.-narrow .-away { display: none; }
    """
    BINDINGS: ClassVar = [
        *bindings("down", "up", "page_down", "page_up", "first", "last"),
        *bindings("previous_tab", "next_tab", "differences", "next_baseline", "export_comparison"),
        *bindings("back"),
    ]
    AUTO_FOCUS = ""

    def __init__(self, link: Link, look: Look, numbers: Sequence[int]) -> None:
        super().__init__()
        self._link, self._look = link, look
        self._numbers = tuple(numbers)
        self._baseline = self._numbers[0]
        self._found: Comparison | None = None
        self._names: Mapping[int, str] = {}
        self._only_differences = False
        self._page = 0

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield CompareHead(self._look, self._numbers)
        yield TabBar(self._look, PAGES)
        with VerticalScroll(id="table-page", can_focus=False):
            yield ComparisonLines(self._look, id="table")
        with Horizontal(id="below"):
            with VerticalScroll(id="verdict-page", can_focus=False):
                yield ComparisonLines(self._look, id="verdicts")
            with VerticalScroll(id="loss-page", can_focus=False):
                yield ComparisonLines(self._look, id="legend")
                yield LineChart(self._look)
        yield KeyBar(self._look, readonly=self._link.readonly)

    def on_mount(self) -> None:
        """Compare."""
        told = self._look.draw("Comparing on the same test rows …")
        self.query_one("#table", ComparisonLines).tell(Content.styled(told, MUTED))
        self._show_page(0)
        self._load()

    def on_resize(self, event: Resize) -> None:
        """Show all at once where there is room."""
        self.set_class(event.size.width < _WIDE, "-narrow")

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Show the clicked page."""
        event.stop()
        self._show_page(event.index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what needs a comparison only where there is one, pages only where they are."""
        del parameters
        if action in ("next_tab", "previous_tab"):
            return self.has_class("-narrow")
        if action in ("differences", "next_baseline", "export_comparison"):
            return self._found is not None
        return True

    def action_next_tab(self) -> None:
        """Show the next page."""
        self._show_page((self._page + 1) % len(PAGES))

    def action_previous_tab(self) -> None:
        """Show the page before."""
        self._show_page((self._page - 1) % len(PAGES))

    def action_differences(self) -> None:
        """Leave out what is the same in all, or show it again."""
        self._only_differences = not self._only_differences
        self._draw()

    def action_next_baseline(self) -> None:
        """Compare with the next experiment instead."""
        at = self._numbers.index(self._baseline)
        self._baseline = self._numbers[(at + 1) % len(self._numbers)]
        self._load()

    def action_down(self) -> None:
        """Scroll the table."""
        self._scroll.scroll_down(animate=False)

    def action_up(self) -> None:
        """Scroll the table back."""
        self._scroll.scroll_up(animate=False)

    def action_page_down(self) -> None:
        """Scroll by a page."""
        self._scroll.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll back by a page."""
        self._scroll.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Scroll to the first line."""
        self._scroll.scroll_home(animate=False)

    def action_last(self) -> None:
        """Scroll to the last line."""
        self._scroll.scroll_end(animate=False)

    def action_back(self) -> None:
        """Return to the list."""
        self.dismiss(None)

    @work(exclusive=True, group="operation")
    async def action_export_comparison(self) -> None:
        """Ask for the format and write a file."""
        found = self._found
        kind = await self.app.push_screen_wait(
            Choose("Export as", tuple(FORMATS), "Markdown", all_too=False)
        )
        if found is None or kind not in FORMATS:
            return
        name = f"comparison-{'-'.join(str(number) for number in found.numbers)}.{FORMATS[kind]}"
        await export(self, self._link, name, lambda _: exported(found, kind), "comparison")

    @property
    def _scroll(self) -> VerticalScroll:
        page = "#verdict-page" if self.has_class("-narrow") and self._page == 1 else "#table-page"
        return self.query_one(page, VerticalScroll)

    @work(exclusive=True, group="compare")
    async def _load(self) -> None:
        numbers, baseline = self._numbers, self._baseline

        def read(
            engine: "Engine",
        ) -> "tuple[Comparison, dict[int, str], dict[int, TrainingHistory | None]]":
            found = engine.compare(numbers, baseline=baseline)
            names = {number: engine.get(number).name for number in numbers}
            return found, names, {number: engine.history(number) for number in numbers}

        try:
            self._found, self._names, histories = await self._link.ask(read)
        except EngineError as error:
            told = Content.assemble(
                (safe_line(error.message, limit=600), WARNING),
                "\n",
                (safe_line(error.hint, limit=600), MUTED),
            )
            self.query_one("#table", ComparisonLines).tell(told)
            return
        chart = loss_chart(histories)
        self.query_one(LineChart).show(chart, Content.styled("No losses are known.", MUTED))
        title = Content.styled(_LOSS_LEGEND, BOLD)
        if chart is not None:
            title += Content("   ") + legend(reversed(chart.series), self._look)
        self.query_one("#legend", ComparisonLines).tell(title)
        self._draw()
        self.refresh_bindings()

    def _draw(self) -> None:
        self.query_one(CompareHead).show(only_differences=self._only_differences)
        if self._found is not None:
            for name in ("#table", "#verdicts"):
                lines = self.query_one(name, ComparisonLines)
                only = self._only_differences
                lines.show(self._found, self._names, only_differences=only)

    def _show_page(self, index: int) -> None:
        self._page = index
        self.query_one(TabBar).show(index)
        self.query_one("#table-page").set_class(index != 0, "-away")
        self.query_one("#below").set_class(index == 0, "-away")
        self.query_one("#verdict-page").set_class(index != 1, "-away")
        self.query_one("#loss-page").set_class(index != 2, "-away")
