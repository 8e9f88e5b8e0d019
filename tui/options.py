"""How the app was started: what the command line says and what the terminal is."""

import locale
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ColorMode = Literal["auto", "full", "256", "16", "none"]
COLOR_MODES: tuple[ColorMode, ...] = ("auto", "full", "256", "16", "none")
_FRAMES_A_SECOND = "120"
"""A key waits for the next frame: at Textual's 60, half of that wait is the whole answer's time."""
_SYSTEMS = {"full": "truecolor", "256": "256", "16": "standard"}


@dataclass(frozen=True, slots=True)
class AppOptions:
    """Options of one start of the app.

    Attributes:
        root: folder of the workspace.
        readonly: whether nothing can be changed.
        ascii: whether only ASCII characters are drawn.
        mouse: whether the mouse is used.
        color: how many colours there are; "auto" asks the terminal.
        number: of the experiment that is opened at once.
    """

    root: Path
    readonly: bool = False
    ascii: bool = False
    mouse: bool = True
    color: ColorMode = "auto"
    number: int | None = None


def knows_unicode() -> bool:
    """Whether the locale's encoding has the characters that the app draws."""
    encoding = locale.getpreferredencoding(do_setlocale=False) if _locale_is_set() else "ascii"
    return "utf" in encoding.lower().replace("-", "")


def is_interactive() -> bool:
    """Whether there is a terminal to draw on and to read keys from."""
    # Textual reads stdin and draws on stderr.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def prepare_textual(mode: ColorMode) -> None:
    """Tell Textual how many colours there are and how soon to draw; before it is imported."""
    os.environ.setdefault("TEXTUAL_FPS", _FRAMES_A_SECOND)
    if mode == "none":
        os.environ["NO_COLOR"] = "1"
    elif mode in _SYSTEMS:
        os.environ["TEXTUAL_COLOR_SYSTEM"] = _SYSTEMS[mode]


def _locale_is_set() -> bool:
    """Whether the environment names a locale that isn't the bare C one."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := os.environ.get(name):
            return "utf" in value.lower().replace("-", "")
    return False
