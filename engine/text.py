"""Foreign text made safe for terminals.

Log lines, error messages, names, file contents and column values may carry escape sequences that
retitle a terminal, fill its clipboard or reverse the reading direction. Every such string passes
here once before it is shown, and is then shown literally, never as markup.
"""

import re
import unicodedata

ONE_LINE = 4_096
"""Characters kept of a line unless told otherwise."""

_SGR = re.compile(r"\x1b\[[0-9:;]*m|\x9b[0-9:;]*m")
_ELLIPSIS = "…"
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp"})
_TAB = "    "


def safe_line(text: str, *, limit: int = ONE_LINE) -> str:
    """Return the text as one line that any terminal shows literally.

    Colour sequences are dropped; line breaks become `␊`; every other control, bidi or zero-width
    mark becomes visible (`␛`, `<U+202E>`), and a lone surrogate becomes the replacement character.

    Args:
        text: anything.
        limit: characters of the result; a longer one ends in `…`.
    """
    # What is cut off is never looked at: a result has at least one character per ten of the input
    # unless that is mostly colour sequences.
    head = _SGR.sub("", text[: limit * 10 + 10])
    if not head.isprintable():
        head = "".join(_visible(character) for character in head[: limit + 1])
    return head if len(head) <= limit else head[: max(limit - 1, 0)] + _ELLIPSIS


def safe_block(text: str, *, limit: int = 65_536) -> str:
    """Return the text with its line breaks, each line made safe by `safe_line`.

    Args:
        text: anything; line feeds, alone or after a carriage return, end a line.
        limit: characters of the result; a longer one ends in `…`.
    """
    lines = text[: limit + 1].replace("\r\n", "\n").split("\n")
    block = "\n".join(safe_line(line, limit=limit) for line in lines)
    return block if len(block) <= limit else block[: limit - 1] + _ELLIPSIS


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return _TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in _UNSAFE_CATEGORIES:
        return f"<U+{code:04X}>"
    return character
