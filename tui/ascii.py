"""`OnlyAscii`: what `--ascii` does to everything that is drawn, Textual's own widgets included."""

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.look import to_ascii


class OnlyAscii(LineFilter):
    """Puts ASCII characters in place of others; every line stays as wide as it was."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line in ASCII."""
        del background
        return [
            segment
            if segment.text.isascii()
            else Segment(_of_width(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def _of_width(text: str) -> str:
    drawn = "".join(to_ascii(character) * max(cell_len(character), 1) for character in text)
    return set_cell_size(drawn, cell_len(text))
