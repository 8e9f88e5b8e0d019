"""`LineBlock`: a widget drawn line by line, that sends only the lines that changed.

Screens are followed over SSH: a tick that moves one progress bar must not send the whole panel
again.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from tui.look import Look


class LineBlock(Widget):
    """Shows what `lines` returns, one `Content` a line, cut at the right edge.

    Args:
        look: what the terminal can show.
        id: of the widget.
        classes: of the widget.
    """

    DEFAULT_CSS: ClassVar[str] = """
    LineBlock { height: auto; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, look: Look, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.look = look
        self._drawn: tuple[int, Sequence[Content]] | None = None
        self._strips: dict[int, Strip] = {}

    def lines(self, width: int) -> Sequence[Content]:
        """Return what is to be shown in so many cells a line."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Ask `lines` again and refresh what differs: lines, or the layout if their number does."""
        if self._drawn is None or not self.is_mounted:
            self.refresh(layout=True)
            return
        width, before = self._drawn
        after = self.lines(width)
        self._drawn = (width, after)
        if len(before) != len(after):
            self._strips.clear()
            self.refresh(layout=True)
            return
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if not _same(old, new):
                self._strips.pop(y, None)
                x, cells = _changed(old, new, self.size.width)
                self.refresh(Region(x, y, cells, 1))

    def forget(self) -> None:
        """Ask `lines` again at the next drawing."""
        self._drawn = None
        self._strips.clear()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines."""
        del container, viewport
        return len(self._lines_at(width))

    def notify_style_update(self) -> None:
        """Draw again in the new colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        lines = self._lines_at(width)
        if y >= len(lines):
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(y)
        if strip is None:
            drawn = Visual.to_strips(self, lines[y], width, 1, self.visual_style, pad=True)
            strip = drawn[0] if drawn else Strip.blank(width, self.rich_style)
            self._strips[y] = strip
        return strip

    def _lines_at(self, width: int) -> Sequence[Content]:
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = (width, self.lines(width))
            self._strips.clear()
        return self._drawn[1]


def _changed(old: Content, new: Content, width: int) -> tuple[int, int]:
    """Return the first cell that changed and how many to the last; all where styles changed."""
    before, after = old.plain, new.plain
    as_wide = old.cell_length == new.cell_length == len(before) == len(after)
    if not as_wide or old.spans != new.spans:
        return 0, width
    differ = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    return differ[0], differ[-1] + 1 - differ[0]


def _same(one: Content, other: Content) -> bool:
    return one.plain == other.plain and one.spans == other.spans
