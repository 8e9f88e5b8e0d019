"""The Data tab: what TFDV measured of a run's examples, one table of columns, one in detail.

The files are read when the tab is first opened, and again until they are there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget

from engine.errors import EngineError
from engine.text import safe_line
from tui.actions import bindings
from tui.exports import export
from tui.link import Asking, Link
from tui.look import MUTED, WARNING, Look
from tui.screens.data_drawing import detail_lines, feature_row, heading, name_width, summary
from tui.widgets.line_block import LineBlock

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail
    from engine.statistics import DatasetStatistics, FeatureStatistics, SchemaFeature

_BESIDE: Final = 110
"""Columns from which on table and detail stand side by side."""


class FeatureTable(LineBlock):
    """The columns of a split with a cursor; as many rows as fit around it."""

    DEFAULT_CSS = "FeatureTable { height: 1fr; }"

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._features: Sequence[FeatureStatistics] = ()
        self._cursor = self._top = 0

    @property
    def selected(self) -> "FeatureStatistics | None":
        """The column under the cursor."""
        return self._features[self._cursor] if self._features else None

    @property
    def rows(self) -> int:
        """How many columns fit on the screen."""
        return max(self.size.height - 1, 1)

    def show(self, features: "Sequence[FeatureStatistics]") -> None:
        """Show a split; the cursor stays on the column of the same name."""
        before = self.selected
        self._features = features
        names = [feature.name for feature in features]
        self._cursor = names.index(before.name) if before and before.name in names else 0
        self.move(0)

    def move(self, by: int) -> None:
        """Move the cursor."""
        last = max(len(self._features) - 1, 0)
        self._cursor = min(max(self._cursor + by, 0), last)
        self._top = min(max(self._top, self._cursor - self.rows + 1), self._cursor)
        self.redraw()

    def on_resize(self) -> None:
        """Keep the cursor on the screen."""
        self.forget()
        self.move(0)

    def lines(self, width: int) -> Sequence[Content]:
        """Return the heading and the rows that fit."""
        name = name_width(self._features, width)
        shown = self._features[self._top : self._top + self.rows]
        rows = [
            feature_row(feature, name, self.look, chosen=index == self._cursor)
            for index, feature in enumerate(shown, self._top)
        ]
        return [line.truncate(width, ellipsis=True) for line in (heading(name), *rows)]


class Detail(LineBlock):
    """One column of the data."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._shown: tuple[FeatureStatistics, SchemaFeature | None] | None = None

    def show(self, feature: "FeatureStatistics | None", schema: "SchemaFeature | None") -> None:
        """Show a column and what the schema says of it."""
        self._shown = (feature, schema) if feature is not None else None
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return its figures and its distribution."""
        if self._shown is None:
            return [Content("")]
        return list(detail_lines(*self._shown, width, self.look))


class Told(LineBlock):
    """Sentences, wrapped."""

    def __init__(self, look: Look, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(look, id=id)
        self._told = Content("")

    def show(self, told: Content) -> None:
        """Show these."""
        self._told = told
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return them in lines."""
        return self._told.wrap(max(width, 10))


class DataTab(Asking, Widget, can_focus=True):
    """Statistics and schema of an experiment's data.

    Args:
        link: to the engine.
        look: what the terminal can show.
        number: of the experiment.
    """

    DEFAULT_CSS: ClassVar[str] = """
    DataTab { height: 1fr; padding: 1 1 0 1; layout: vertical; }
    DataTab #splits { margin-bottom: 1; }
    DataTab #columns { height: 1fr; layout: vertical; }
    DataTab VerticalScroll { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    DataTab.-beside #columns { layout: horizontal; }
    DataTab.-beside FeatureTable { width: 3fr; }
    DataTab.-beside VerticalScroll { width: 2fr; margin: 0 0 0 3; }
    DataTab.-missing #columns { display: none; }
    """
    BINDINGS: ClassVar = [
        *bindings("down", "up", "page_down", "page_up", "first", "last"),
        *bindings("next_split", "export_report"),
    ]

    def __init__(self, link: Link, look: Look, number: int) -> None:
        super().__init__()
        self._link, self._look, self._number = link, look, number
        self._found: DatasetStatistics | None = None
        self._split = ""

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Told(self._look, id="splits")
        with Container(id="columns"):
            yield FeatureTable(self._look)
            with VerticalScroll(can_focus=False):
                yield Detail(self._look)

    def on_mount(self) -> None:
        """Say that it takes a moment."""
        self._tell(Content.styled(self._look.draw("Reading the statistics …"), MUTED))

    def on_resize(self, event: Resize) -> None:
        """Put the parts side by side where there is room."""
        self.set_class(event.size.width >= _BESIDE, "-beside")

    def show(self, seen: "ExperimentDetail") -> None:
        """Read the statistics, until they are there."""
        del seen
        if self._found is None:
            self._load()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what needs statistics only where there are some."""
        del parameters
        if action == "next_split":
            return self._found is not None and len(self._found.splits) > 1
        return self._found is not None or action != "export_report"

    def action_down(self) -> None:
        """Select the next column."""
        self._move(1)

    def action_up(self) -> None:
        """Select the column before."""
        self._move(-1)

    def action_page_down(self) -> None:
        """Move down by as many columns as fit."""
        self._move(self._table.rows)

    def action_page_up(self) -> None:
        """Move up by as many columns as fit."""
        self._move(-self._table.rows)

    def action_first(self) -> None:
        """Select the first column."""
        self._move(-(10**9))

    def action_last(self) -> None:
        """Select the last column."""
        self._move(10**9)

    def action_next_split(self) -> None:
        """Show the statistics of the next split."""
        if self._found is not None:
            names = [str(name) for name in self._found.splits]
            self._split = names[(names.index(self._split) + 1) % len(names)]
            self._draw()

    @work(exclusive=True, group="report")
    async def action_export_report(self) -> None:
        """Write the report as HTML."""
        number = self._number
        name = f"experiment-{number}.html"
        await export(self, self._link, name, lambda engine: engine.report(number), "report")

    @property
    def _table(self) -> FeatureTable:
        return self.query_one(FeatureTable)

    @work(exclusive=True, group="statistics")
    async def _load(self) -> None:
        number = self._number
        try:
            found = await self._link.ask(lambda engine: engine.statistics(number))
        except EngineError as error:
            lines = [(safe_line(error.message, limit=600), WARNING)]
            if error.hint:
                lines += ["\n", (safe_line(error.hint, limit=600), MUTED)]
            self._tell(Content.assemble(*lines))
            return
        self._found = found
        self._split = next(iter(found.splits))
        self.remove_class("-missing")
        self._draw()
        self.refresh_bindings()

    def _move(self, by: int) -> None:
        self._table.move(by)
        self._draw_detail()

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        self.query_one("#splits", Told).show(summary(found, self._split))
        splits = {str(name): measured for name, measured in found.splits.items()}
        self._table.show(splits[self._split].features)
        self._draw_detail()

    def _draw_detail(self) -> None:
        chosen, found = self._table.selected, self._found
        if chosen is None or found is None:
            return
        schema = next((s for s in found.schema_features if s.name == chosen.name), None)
        self.query_one(Detail).show(chosen, schema)

    def _tell(self, told: Content) -> None:
        self.add_class("-missing")
        self.query_one("#splits", Told).show(told)
