"""Vocabularies of the Training tab: how much of eval and test the train split knows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from engine.text import safe_line
from tui.look import MUTED, WARNING, Look
from tui.screens.training_panels import headline
from tui.widgets.line_block import LineBlock

if TYPE_CHECKING:
    from engine.spec.run_folder import Vocabulary

_MUCH_UNKNOWN = 0.3
_SIZE, _SHARE = 9, 10
_LEAST_NAME, _MOST_NAME = 12, 28


class VocabularyPanel(VerticalScroll, can_focus=False):
    """What train knows of each embedded column."""

    def __init__(self, look: Look, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="panel")
        self._look = look

    def compose(self) -> ComposeResult:
        """Make the table."""
        yield VocabularyTable(self._look)

    def show(self, vocabularies: "Mapping[str, Vocabulary]", place: str, note: str) -> None:
        """Show the vocabularies, or the note when there are none."""
        self.query_one(VocabularyTable).show(vocabularies, place, note)


class VocabularyTable(LineBlock):
    """A row for each vocabulary; those that miss much of eval and test stand out."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._rows: Mapping[str, Vocabulary] = {}
        self._place = self._note = ""

    def show(self, vocabularies: "Mapping[str, Vocabulary]", place: str, note: str) -> None:
        """Show these, or the note when there are none."""
        self._rows, self._place, self._note = vocabularies, place, note
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return title and table."""
        head = headline("Vocabularies", self._place)
        if not self._rows:
            return [head, *Content.styled(self._note, MUTED).wrap(max(width, 10))]
        lines = [head + Content.styled("   of train; OOV and coverage in eval and test", MUTED)]
        lines += _vocabulary_lines(self._rows, width, self.look)
        return [line.truncate(width, ellipsis=True) for line in lines]


def _vocabulary_lines(
    vocabularies: "Mapping[str, Vocabulary]", width: int, look: Look
) -> Iterator[Content]:
    longest = max(len(safe_line(name, limit=100)) for name in vocabularies) + 2
    column = max(min(longest, width - _SIZE - 3 * _SHARE, _MOST_NAME), _LEAST_NAME)
    shares = "".join(f"{name:>{_SHARE}}" for name in ("OOV", "coverage", "missing"))
    yield Content.styled(f"{'column':<{column}}{'values':>{_SIZE}}{shares}", MUTED)
    for name, found in vocabularies.items():
        shown = Content(safe_line(name, limit=100)).truncate(column - 1, ellipsis=True)
        unknown = found.oov_share > _MUCH_UNKNOWN
        mark = "!" if unknown else ""
        yield Content.assemble(
            shown,
            " " * (column - shown.cell_length),
            f"{found.size:>{_SIZE},}",
            (f"{mark + f'{found.oov_share:.1%}':>{_SHARE}}", WARNING if unknown else ""),
            f"{found.coverage:>{_SHARE}.1%}",
            (look.draw(f"{found.missing_share:>{_SHARE}.1%}"), MUTED),
        )
