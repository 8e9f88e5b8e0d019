"""What commands print with: consoles, statuses in colour, tables, JSON.

Colour never carries meaning alone; foreign text arrives here raw and leaves safe and literal.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.formats import ICONS
from engine.text import safe_line

_STYLES = {
    "submitting": "blue",
    "pending": "dim",
    "running": "blue",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
    "lost": "yellow",
    "cached": "green",
    "cancelling": "yellow",
    "deleting": "yellow",
    "warning": "yellow",
}
_PADDING = re.compile(r" +$", re.MULTILINE)
_UNBOUNDED = 10_000
"""Columns of what isn't a terminal: nothing is cut there."""


def console(stream: TextIO) -> Console:
    """Return a console that prints literally: no markup, no emoji codes, no highlighting."""
    plain = not stream.isatty()
    return Console(
        file=cast(TextIO, _WithoutPadding(stream)) if plain else stream,
        markup=False,
        highlight=False,
        emoji=False,
        width=_UNBOUNDED if plain and "COLUMNS" not in os.environ else None,
    )


class _WithoutPadding:
    """A stream that drops the spaces with which tables fill their lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines without the spaces at their ends."""
        return self._stream.write(_PADDING.sub("", text))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def print_json(value: object) -> None:
    """Print one JSON document; everything outside ASCII is escaped, so it is safe to look at."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def encodable(text: str, stream_encoding: str | None) -> bool:
    """Whether a stream can show the text."""
    try:
        text.encode(stream_encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def foreign(text: str, style: str = "", *, limit: int = 400) -> Text:
    """Return text from outside as one literal line."""
    return Text(safe_line(text, limit=limit), style=style)


def clipped(text: str) -> Text:
    """Return text from outside for a column that gives way: cut, never wrapped."""
    made = foreign(text)
    made.no_wrap, made.overflow = True, "ellipsis"
    return made


def status_icon(status: str, *, to: Console) -> Text:
    """Return the icon of a status, in ASCII where the terminal knows nothing else."""
    icon, plain = ICONS[status]
    return Text(icon if encodable(icon, to.encoding) else plain, style=_STYLES[status])


def status_text(status: str, *, to: Console) -> Text:
    """Return icon and word of a status."""
    return Text.assemble(status_icon(status, to=to), " ", (status, _STYLES[status]))


def fields(pairs: Iterable[tuple[str, Text | str]], *, style: str = "dim") -> Table:
    """Return labels (in a style) and values as two aligned columns; values are wrapped."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=style, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in pairs:
        grid.add_row(label, value if isinstance(value, Text) else foreign(value))
    return grid


def indented(part: RenderableType) -> Padding:
    """Return a part two columns further right, no wider than it needs to be."""
    return Padding(part, (0, 0, 0, 2), expand=False)


def table(
    headings: Sequence[str], *, right: Iterable[str] = (), shrink: Iterable[str] = ()
) -> Table:
    """Return an empty table without lines.

    Args:
        headings: of the columns.
        right: headings of the columns that are aligned to the right.
        shrink: headings of the columns that give way on a narrow terminal.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in set(right) else "left",
            # Rich takes width from the columns that may wrap; their cells are cut, not wrapped.
            no_wrap=heading not in set(shrink),
        )
    return made
