"""The app's budgets: first frame, keys, search, memory and bytes, in a real pseudo-terminal.

A bare Textual program with a list and a footer is measured in the same run: this machine's speed
changes by the hour, the ratio doesn't.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.e2e.terminal import COMMAND, Terminal

COLUMNS, LINES = 120, 40
KEYS = 200
_QUIET_SECONDS = 0.08
_TICKS_SECONDS = 6
_BARE = """
from textual.app import App
from textual.widgets import Footer, Static
class Bare(App):
    BINDINGS = [("q", "quit", "quit")]
    def compose(self):
        yield Static("\\n".join(f"line {i} of a plain list" for i in range(38)))
        yield Footer()
Bare().run()
"""


def figures(workspace: Path, *, newest: str) -> dict[str, float]:
    """Measure the app on a workspace.

    Args:
        workspace: its folder; 100,000 experiments are in it.
        newest: text that the first full frame shows.
    """
    first = [_first_frame(workspace, newest) for _ in range(5)]
    bare = [_bare_frame(workspace) for _ in range(5)]
    medians = statistics.median(first), statistics.median(bare)
    shown = _terminal(workspace)
    try:
        shown.read_until(newest)
        shown.read_for(2.5)  # the engine is loaded behind the first frame
        moves = _keys(shown, "j" * KEYS)
        pages = _keys(shown, "\x04" * 20 + "G" + "g")
        search = _search(shown)
        memory = psutil.Process(shown.process.pid).memory_info().rss / 1e6
    finally:
        shown.close()
    return {
        "app: first full frame, s (budget 0.4)": medians[0],
        "app: the same of a bare Textual program, s": medians[1],
        "app: first full frame / bare": medians[0] / medians[1],
        "app: key to frame, median, ms (budget 15)": statistics.median(moves),
        "app: key to frame, 99th percentile, ms (budget 50)": sorted(moves)[-len(moves) // 100],
        "app: page of cards, median, ms": statistics.median(pages),
        "app: search, debounce of 150 ms aside, ms (budget 100)": search,
        "app: memory, MB (budget 120)": memory,
    }


def ticks(workspace: Path, number: int) -> dict[str, float]:
    """Return the bytes that a running experiment costs each second, in list and experiment view."""
    shown = _terminal(workspace)
    try:
        shown.read_until(f"#{number}")
        shown.read_until("Train, epoch", seconds=180)
        listed = _bytes_a_second(shown)
        shown.press("\r")
        shown.read_until("Pipeline")
        _bytes_a_second(shown)  # what opening it sends
        viewed = _bytes_a_second(shown)
    finally:
        shown.close()
    return {
        "app: bytes a second of a running experiment, list (budget 2500)": listed,
        "app: bytes a second of a running experiment, view (budget 2500)": viewed,
    }


def _bytes_a_second(shown: Terminal) -> float:
    shown.read_some(1)
    start, begun = len(shown.output), time.monotonic()
    while time.monotonic() - begun < _TICKS_SECONDS:
        shown.read_some(0.2)
    return (len(shown.output) - start) / (time.monotonic() - begun)


def _terminal(workspace: Path, program: Sequence[str] = COMMAND) -> Terminal:
    return Terminal(
        cwd=workspace,
        columns=COLUMNS,
        lines=LINES,
        program=program,
        LANG="C.UTF-8",
        COLORTERM="truecolor",
    )


def _first_frame(workspace: Path, newest: str) -> float:
    start = time.perf_counter()
    shown = _terminal(workspace)
    try:
        shown.read_until(newest)
        shown.read_until(" quit")
        return time.perf_counter() - start
    finally:
        shown.close()


def _bare_frame(workspace: Path) -> float:
    start = time.perf_counter()
    shown = _terminal(workspace, program=(sys.executable, "-c", _BARE))
    try:
        shown.read_until("line 37 of")
        return time.perf_counter() - start
    finally:
        shown.close()


def _keys(shown: Terminal, keys: str) -> list[float]:
    """Return the milliseconds from each key to the first bytes of its frame."""
    times: list[float] = []
    for key in keys:
        shown.read_for(_QUIET_SECONDS)
        start, before = time.perf_counter(), len(shown.output)
        shown.press(key)
        while len(shown.output) == before and time.perf_counter() - start < 1:
            shown.read_some(0.2)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _search(shown: Terminal) -> float:
    """Return the milliseconds from the end of the debounce to the matching cards."""
    shown.press("/")
    shown.read_for(0.3)
    start = time.perf_counter()
    shown.press("dataset 99")
    shown.read_until("of 100,0")
    return (time.perf_counter() - start) * 1e3 - 150
