"""Pictures of the app as text: what stands on the screen, and in which colours.

A picture is a text file that a person reads in a diff: the characters; under them, cell by cell,
a letter for the colour of each character, upper case where it is bold; then the backgrounds.
"""

import difflib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError

_ROLES = {
    "foreground": "n",
    "muted": "m",
    "faint": "f",
    "accent": "a",
    "primary": "r",
    "success": "g",
    "warning": "w",
    "error": "e",
}
"""Letters of the theme's colours: normal, muted, faint, accent, running, good, warning, error."""
_BACKGROUNDS = ("background", "surface", "panel")
_OTHERS = "123456789bcdhijklopqstuvxyz"


class Golden:
    """The kept pictures.

    Args:
        folder: where they are.
        update: whether what is seen becomes the picture that is kept.
        svgs: folder that gets each picture as SVG, to look at; None for none.
    """

    def __init__(self, folder: Path, *, update: bool, svgs: Path | None) -> None:
        self._folder, self._update, self._svgs = folder, update, svgs

    def difference(self, name: str, app: App[object]) -> str:
        """Return how the screen differs from the picture of this name; "" when it doesn't."""
        seen = picture(app)
        path = self._folder / f"{name}.txt"
        if self._svgs is not None:
            self._svgs.mkdir(parents=True, exist_ok=True)
            (self._svgs / f"{name}.svg").write_text(app.export_screenshot(), encoding="utf-8")
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(seen, encoding="utf-8")
            return ""
        if not path.exists():
            return f"There is no picture {path.name} yet; --update-pictures makes it.\n{seen}"
        kept = path.read_text(encoding="utf-8")
        return "\n".join(
            difflib.unified_diff(
                kept.splitlines(), seen.splitlines(), f"kept {name}", "seen", lineterm="", n=1
            )
        )


def text_of(app: App[object]) -> str:
    """Return what stands on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def picture(app: App[object]) -> str:
    """Return the screen as a picture."""
    letters = _Letters(app)
    lines = [list(strip) for strip in app.screen._compositor.render_strips()]
    colours = ["".join(letters.of(segment) for segment in line).rstrip() for line in lines]
    parts = [
        text_of(app),
        "── colours",
        "\n".join(colours),
        "── backgrounds",
        "\n".join(_grouped([_backgrounds(line, letters) for line in lines])),
    ]
    if letters.others:
        parts += ["── other", *(f"{letter} {told}" for told, letter in letters.others.items())]
    return "\n".join(parts) + "\n"


class _Letters:
    """Names colours by the theme's."""

    def __init__(self, app: App[object]) -> None:
        known = app.get_css_variables()
        self._roles = {_colour(known[name]): letter for name, letter in _ROLES.items()}
        self._backgrounds = {_colour(known[name]): name for name in reversed(_BACKGROUNDS)}
        self.others: dict[str, str] = {}

    def of(self, segment: Segment) -> str:
        """Return a letter for each cell of a segment; blanks for blanks."""
        style = segment.style or Style()
        marked = style.underline or style.reverse or style.strike or style.dim
        if not segment.text.strip() and not marked:
            return " " * cell_len(segment.text)
        letter = self._roles.get(_name(style))
        if letter is None or marked:
            told = f"{_name(style)}{_attributes(style)}"
            letter = self.others.setdefault(told, _OTHERS[len(self.others) % len(_OTHERS)])
        elif style.bold:
            letter = letter.upper()
        return "".join(
            (" " if glyph.isspace() and not marked else letter) * cell_len(glyph)
            for glyph in segment.text
        )

    def background(self, style: Style) -> str:
        """Return the name of a background."""
        name = style.bgcolor.name if style.bgcolor else "default"
        return self._backgrounds.get(name, name)


def _name(style: Style) -> str:
    return style.color.name if style.color else "default"


def _attributes(style: Style) -> str:
    names = ("bold", "dim", "italic", "underline", "reverse", "strike")
    return "".join(f" {name}" for name in names if getattr(style, name))


def _colour(written: str) -> str:
    try:
        return Color.parse(written).rich_color.name
    except ColorParseError:
        return written


def _backgrounds(line: list[Segment], letters: _Letters) -> str:
    runs = groupby(line, lambda segment: letters.background(segment.style or Style()))
    told = [(name, sum(cell_len(s.text) for s in run)) for name, run in runs]
    return ", ".join(name if len(told) == 1 else f"{name} {cells}" for name, cells in told)


def _grouped(lines: list[str]) -> Iterator[str]:
    number = 1
    for told, run in groupby(lines):
        last = number + len(list(run)) - 1
        yield f"{f'{number}-{last}' if last > number else number:<6} {told}"
        number = last + 1
