"""Foreign text that tries to be more than text, and the check that it is not."""

import unicodedata

from hypothesis import strategies as st
from rich.cells import cell_len

MARK = "[b]"
"""Markup that is to be seen literally."""
ALWAYS = "\u202e\x9b"
"""What every text has near its beginning, so that no sink is met by harmless ones alone."""
PIECES = (
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x1b\\",
    "\x1b]8;;https://example.invalid\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x9b31m",
    "\x9d0;owned\x9c",
    "\x00",
    "\x07",
    "\x08" * 9,
    "\x7f",
    "\x85",
    "[@click=app.quit]x[/]",
    "[@click=app.bell]x",
    "[bold red on white]x[/bold red on white]",
    "[link='file:///etc/passwd']x[/link]",
    "[bold",
    "[/]",
    "]",
    "\\[",
    "\\",
    "$error",
    "{name!r}",
    "%s%n",
    "\u202e\u2066\u200f\u061c",
    "\u200b\u2060\ufeff\xad",
    "e\u0301",
    "a" + "\u0300" * 60,
    "\u0301",
    "漢字かな",
    "👩‍👩‍👧‍👦",
    "🇩🇪🏴\U000e0067\U000e007f",
    "☺\ufe0f",
    "\U000e0041",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\v\f",
    "\u2028\u2029",
    "\xa0\u3000",
    " " * 50,
    "x" * 3_000,
    "漢" * 3_000,
    "word " * 800,
)
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

storable = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    min_size=1,
    max_size=6,
).map(lambda parts: MARK + ALWAYS + "".join(parts))
"""Text that a database and a file can hold."""
anything = st.lists(st.sampled_from(["\udcff", "\ud83d"]) | storable, max_size=4).map(
    lambda parts: ALWAYS + "".join(parts)
)
"""Text with lone surrogates in it too, as names of files can have them."""


def unsafe(text):
    """Return the characters that no terminal may get, escaped."""
    return [ascii(character) for character in text if unicodedata.category(character) in _UNSAFE]


def check(app):
    """Assert that what is on screen is nothing but characters in lines as wide as the screen."""
    for strip in app.screen._compositor.render_strips():
        text = strip.text
        assert not unsafe(text), text
        assert strip.cell_length == cell_len(text) == app.size.width, ascii(text)
        for segment in strip:
            style = segment.style
            if style is not None:
                assert style.link is None, segment
                assert "@click" not in style.meta, segment
    if app.look.ascii:
        assert all(strip.text.isascii() for strip in app.screen._compositor.render_strips())
