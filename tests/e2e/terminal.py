"""The real command in a real terminal: a pseudo-terminal of our own, its bytes, its keys."""

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "import tui.command; tui.command.main()")
_SEQUENCE = re.compile(rb"\x1b\[[0-9;?<>=]*\$?[A-Za-z]")


class Terminal:
    """`towerlab`, or another program, as the child of a terminal of so many columns and lines."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        columns: int = 80,
        lines: int = 24,
        program: Sequence[str] = COMMAND,
        **env: str,
    ) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.output = b""
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={
                **{k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")},
                "PYTHONPATH": str(REPOSITORY),
                "TERM": "xterm-256color",
                **env,
            },
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """What was printed, without control sequences."""
        return _SEQUENCE.sub(b"", self.output).decode(errors="replace")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def read_until(self, expected: str, *, seconds: float = 60) -> None:
        """Read until the text was printed."""
        deadline = time.monotonic() + seconds
        while expected not in self.text:
            assert time.monotonic() < deadline, f"no {expected!r} in:\n{self.text}"
            assert self._read(), f"it ended without {expected!r}:\n{self.text}"

    def wait(self, *, seconds: float = 60) -> int:
        """Read until the command has ended and return its exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it goes on:\n{self.text}"
        return self.process.wait(timeout=60)

    def read_for(self, seconds: float) -> bytes:
        """Read until nothing came for so long and return what came."""
        start = len(self.output)
        while True:
            before = len(self.output)
            if not self._read(seconds) or len(self.output) == before:
                return self.output[start:]

    def read_some(self, seconds: float) -> None:
        """Read what comes first within so many seconds."""
        self._read(seconds)

    def hang_up(self) -> None:
        """Close the terminal, as when a connection drops."""
        os.close(self._ours)
        self._ours = -1

    def close(self) -> None:
        """End the command if it still lives, and close the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._ours >= 0:
            self.hang_up()

    def _read(self, seconds: float = 0.2) -> bool:
        """Read what there is; False when the other side is closed."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self._ours, 65_536)
        except OSError:  # Linux's way to say that nobody has the other side open
            return False
        self.output += chunk
        return bool(chunk)
