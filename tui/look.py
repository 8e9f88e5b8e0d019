"""How things look: the theme's colours by name, and icons and lines that fit the terminal.

Colours are names of theme variables, used as styles of `Content` spans, so that truecolor, 16
colours and no colour at all come out of the same drawing code. A colour never carries meaning
alone: an icon or a word stands beside it.
"""

from dataclasses import dataclass, replace
from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

from engine.formats import ICONS

MUTED: Final = "$muted"
FAINT: Final = "$faint"
ACCENT: Final = "$accent"
RUNNING: Final = "$primary"
GOOD: Final = "$success"
WARNING: Final = "$warning"
BAD: Final = "$error"
BOLD: Final = "bold"

STATUS_STYLE: Final[dict[str, str]] = {
    "submitting": RUNNING,
    "pending": FAINT,
    "running": RUNNING,
    "completed": GOOD,
    "failed": BAD,
    "cancelled": MUTED,
    "lost": WARNING,
    "cached": GOOD,
    "cancelling": WARNING,
    "deleting": WARNING,
}
_ASCII: Final[dict[str, str]] = {
    "▌": "|",
    "━": "=",
    "╸": "=",
    "─": "-",
    "│": "|",
    "╭": "+",
    "╮": "+",
    "╰": "+",
    "╯": "+",
    "┏": "+",
    "┓": "+",
    "┗": "+",
    "┛": "+",
    "┃": "|",
    "┬": "+",
    "┌": "+",
    "┐": "+",
    "└": "+",
    "┘": "+",
    "├": "+",
    "┤": "+",
    "┼": "+",
    "▶": ">",
    "▸": ">",
    "▇": "#",
    "▏": "|",
    "▲": "^",
    "▼": "v",
    "≈": "~",
    "±": "+-",
    "·": "-",
    "…": "~",
    "–": "-",
    "→": ">",
    "←": "<",
    "×": "x",
    "●": "*",
    "○": "o",
    "◌": ".",
    "◐": "*",
    "✔": "v",
    "✖": "x",
    "⊘": "-",
    "↺": "=",
    "▔": "-",
    "▁": "_",
    "★": "*",
    "↑": "^",
    "↓": "v",
    "┈": ".",
}
_TO_ASCII: Final = str.maketrans(_ASCII)


class _OneToOne(dict[int, str]):
    """Maps each character to an ASCII one: one of ours to what stands for it, others to "?"."""

    def __missing__(self, character: int) -> str:
        ours = _ASCII.get(chr(character), "?")
        return chr(character) if character < 127 else ours[0]


_ONE_TO_ONE: Final = _OneToOne()


def to_ascii(text: str) -> str:
    """Return text with one ASCII character for each."""
    return text.translate(_ONE_TO_ONE)


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show.

    Attributes:
        ascii: whether only ASCII characters are drawn.
    """

    ascii: bool = False

    def icon(self, status: str) -> str:
        """Return the one-character icon of a status, or of "cached"."""
        unicode, plain = ICONS[status]
        return plain if self.ascii else unicode

    def draw(self, text: str) -> str:
        """Return text of ours in characters that the terminal has."""
        return text.translate(_TO_ASCII) if self.ascii else text

    def bar(self, share: float, width: int) -> tuple[str, str]:
        """Return the done and the open part of a progress bar that is `width` cells wide."""
        done = round(min(max(share, 0.0), 1.0) * width)
        if self.ascii:
            return "#" * done, "." * (width - done)
        return "━" * done, "─" * (width - done)


DARK: Final = Theme(
    name="towerlab-dark",
    dark=True,
    background="#11151c",
    surface="#161b24",
    panel="#202733",
    foreground="#dbe1ea",
    primary="#6cb2f7",
    secondary="#5b8fc7",
    accent="#b49cf5",
    success="#5fd38d",
    warning="#f2b84b",
    error="#f47c7c",
    variables={
        "muted": "#8d98a9",
        "faint": "#4d586a",
        "border": "#4d586a",
        "block-cursor-text-style": "none",
    },
)
LIGHT: Final = Theme(
    name="towerlab-light",
    dark=False,
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e6e7e3",
    foreground="#1d232c",
    primary="#1466b8",
    secondary="#4a6f95",
    accent="#6a3fc4",
    success="#1a7a40",
    warning="#946000",
    error="#b3261e",
    variables={
        "muted": "#5a6472",
        "faint": "#a9b0ba",
        "border": "#a9b0ba",
        "block-cursor-text-style": "none",
    },
)
_SIXTEEN = BUILTIN_THEMES["ansi-dark"]
ANSI: Final = replace(
    _SIXTEEN,
    name="towerlab-16",
    accent="ansi_magenta",
    variables={
        **_SIXTEEN.variables,
        "muted": "ansi_default",
        "faint": "ansi_bright_black",
        "block-cursor-text-style": "none",
    },
)
THEMES: Final = (DARK, LIGHT, ANSI)
