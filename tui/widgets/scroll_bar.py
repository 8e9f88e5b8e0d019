"""Scroll bars of whole cells.

Textual draws the ends of a bar with block characters, which a terminal in ASCII doesn't have.
"""

from typing import ClassVar

from textual.scrollbar import ScrollBar, ScrollBarRender

_BLANKS = [" "] * 8


class _WholeCells(ScrollBarRender):
    VERTICAL_BARS: ClassVar[list[str]] = _BLANKS
    HORIZONTAL_BARS: ClassVar[list[str]] = _BLANKS


def use_whole_cells() -> None:
    """Draw the scroll bars of every widget so."""
    ScrollBar.renderer = _WholeCells
