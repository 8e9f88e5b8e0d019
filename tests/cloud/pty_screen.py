"""What stands on a terminal's screen, from the bytes that the app has written to it.

Textual places every piece of text by absolute positions, so that these few sequences are all.
"""

import re
import time

from tests.e2e.terminal import Terminal

_TOKEN = re.compile(
    r"\x1b\[(?P<values>[0-9;?<>=]*)[ $]?(?P<final>[A-Za-z])"
    r"|\x1b[\]P_^].*?(?:\x07|\x1b\\)"
    r"|\x1b[()].|\x1b[^\[\]P_^()]"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)

_PATIENCE_SECONDS = 2.0


class Screen:
    """The screen of an app in a terminal.

    Args:
        terminal: that the app runs in.
        columns: of it.
        lines: of it.
    """

    def __init__(self, terminal: Terminal, columns: int, lines: int) -> None:
        self.terminal = terminal
        self._columns = columns
        self._cells = [[" "] * columns for _ in range(lines)]
        self._row = self._column = self._seen = 0

    @property
    def text(self) -> str:
        """The lines, without blanks at their ends."""
        self._draw()
        return "\n".join("".join(row).rstrip() for row in self._cells)

    def press(self, *keys: str) -> None:
        """Type keys, each when the one before has changed the screen, or has had the time to."""
        for key in keys:
            before, deadline = self.text, time.monotonic() + _PATIENCE_SECONDS
            self.terminal.press(key)
            while self.text == before and time.monotonic() < deadline:
                self.terminal.read_some(0.1)
            self.terminal.read_for(0.05)

    def wait_for(self, *expected: str, seconds: float = 60) -> str:
        """Read until all of the texts stand on the screen; return it."""
        deadline = time.monotonic() + seconds
        while missing := [text for text in expected if text not in self.text]:
            assert time.monotonic() < deadline, f"no {missing} in:\n{self.text}"
            assert self.terminal.process.poll() is None, f"it ended without {missing}"
            self.terminal.read_some(0.1)
        return self.text

    def shows(self, expected: str, *, seconds: float = 5) -> bool:
        """Return whether a text comes to stand on the screen."""
        deadline = time.monotonic() + seconds
        while expected not in self.text and time.monotonic() < deadline:
            self.terminal.read_some(0.1)
        return expected in self.text

    def wait_without(self, text: str, *, seconds: float = 60) -> None:
        """Read until a text stands on the screen no more."""
        deadline = time.monotonic() + seconds
        while text in self.text:
            assert time.monotonic() < deadline, f"{text} stays in:\n{self.text}"
            self.terminal.read_some(0.1)

    def _draw(self) -> None:
        written = self.terminal.output.decode(errors="ignore")
        position = self._seen
        while position < len(written):
            found = _TOKEN.match(written, position)
            if found is None:  # a sequence isn't whole yet
                break
            position = found.end()
            if found["text"]:
                self._put(found["text"])
            elif found["final"]:
                self._obey(found["final"], found["values"])
            elif found["control"] == "\r":
                self._column = 0
            elif found["control"] == "\n":
                self._row = min(self._row + 1, len(self._cells) - 1)
        self._seen = position

    def _put(self, text: str) -> None:
        for character in text:
            if self._column < self._columns:
                self._cells[self._row][self._column] = character
            self._column += 1

    def _obey(self, final: str, values: str) -> None:
        if final == "H":
            row, _, column = values.partition(";")
            self._row = min(int(row or 1), len(self._cells)) - 1
            self._column = int(column or 1) - 1
        elif final == "J":
            self._cells = [[" "] * self._columns for _ in self._cells]
        elif final == "C":
            self._column += int(values or 1)
