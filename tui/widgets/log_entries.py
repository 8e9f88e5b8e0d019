"""Log lines made ready to be drawn.

Messages are foreign text. They are made safe in the thread that reads them, since fifty long ones
take longer than a frame may.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.snapshots import LogLine
from engine.spec.run_folder import Severity
from engine.text import safe_block

_WORDS: Final[dict[Severity, str]] = {
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARNING": "WARN",
    "ERROR": "ERROR",
}

_MOST: Final = 16_384
"""Characters of a message that are shown; what a run writes is far shorter."""
_HEAD: Final = 1_000
"""Characters of a message's beginning: enough for any terminal."""

Key = tuple[datetime, str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A log line that is safe to show.

    Attributes:
        key: tells it from the others, also after another reading.
        severity: "DEBUG", "INFO", "WARN" or "ERROR".
        clock: local time, "12:41:03".
        head: beginning of the message, one line.
        body: all lines of the message.
    """

    key: Key
    severity: str
    clock: str
    head: str
    body: tuple[str, ...]

    @property
    def text(self) -> str:
        """The line as it is copied."""
        return f"{self.severity}  {self.clock}  " + "\n".join(self.body)

    def contains(self, text: str) -> bool:
        """Whether the message contains a case-folded text."""
        return text in "\n".join(self.body).casefold()


def log_entries(lines: Iterable[LogLine]) -> tuple[Entry, ...]:
    """Return log lines, newest first, as safe entries in the same order."""
    seen: Counter[tuple[datetime, str]] = Counter()
    made: list[Entry] = []
    for line in reversed(tuple(lines)):
        message = line.message[: _MOST + 1]
        same = (line.timestamp, message)
        seen[same] += 1
        body = tuple(safe_block(message.rstrip("\r\n"), limit=_MOST).split("\n"))
        written = [part for part in body if part.strip()]
        more = " …" if len(written) > 1 else ""
        made.append(
            Entry(
                key=(*same, seen[same]),
                severity=_WORDS[line.severity],
                clock=f"{line.timestamp.astimezone():%H:%M:%S}",
                head=(written[0] if written else "")[:_HEAD] + more,
                body=body,
            )
        )
    return tuple(reversed(made))
