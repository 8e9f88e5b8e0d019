"""How names are quoted and suggested in sentences for people."""

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 8
_LONGEST_NAME = 120


def quoted(name: object) -> str:
    """Return a foreign name in double quotes, control characters escaped, at most 120 long."""
    text = str(name)
    return json.dumps(
        text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "…", ensure_ascii=False
    )


def listed(names: Iterable[object]) -> str:
    """Return the first names as "a, b, c and 4 more"."""
    shown = [str(name) for name in names]
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return "1 row" or "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what may have been meant as a sentence: the closest name, or the first ones."""
    names = list(known)
    folded = {n.casefold(): n for n in names}
    close = get_close_matches(name.casefold()[:_LONGEST_NAME], list(folded), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {quoted(folded[close[0]])}?"
    verb = "is" if len(names) == 1 else "are"
    return f"There {verb} {listed(quoted(n) for n in names)}." if names else "There are none."


def key_text(path: Sequence[str | int]) -> str:
    """Return a path of a TOML document as people write it: `models.m.buyer_tower[0].units`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part if _BARE_KEY.fullmatch(part) else quoted(part)
            text += f".{bare}" if text else bare
    return text
