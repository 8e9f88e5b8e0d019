"""`logs/<component>.jsonl`: what is logged while a component runs, as the app shows it."""

import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from engine.spec.run_folder import LOGS, ComponentName, LogEntry, Severity

_MESSAGE_LIMIT = 4_096
"""Characters a message."""
_FILE_LIMIT = 1_000_000
"""Characters a file; a component that logs more says so once and is then silent."""
_OURS = "pipelines"
_NOISE = (
    "ArtifactQuery.property_predicate is not supported",
    "Not using the in-place Transform",
    "Tables initialized inside a tf.function",
)
"""Warnings that TFX and TensorFlow Transform give in every run, and that nobody can act on."""


class ComponentLog(logging.Handler):
    """Writes our loggers' INFO and everybody's warnings to one component's log."""

    def __init__(self, folder: Path, component: ComponentName) -> None:
        super().__init__(logging.INFO)
        path = folder / LOGS / f"{component}.jsonl"
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._left = _FILE_LIMIT

    def listen(self) -> Self:
        """Attach to the root logger."""
        logging.getLogger().addHandler(self)
        logging.getLogger(_OURS).setLevel(logging.INFO)
        return self

    def close(self) -> None:
        """Detach from the root logger and close the file."""
        logging.getLogger().removeHandler(self)
        with contextlib.suppress(OSError):  # unwritten lines on a full disk
            self._file.close()
        super().close()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let our own messages pass, and other libraries' from warnings upwards."""
        if record.name.partition(".")[0] == _OURS:
            return bool(super().filter(record))
        return record.levelno >= logging.WARNING and not record.getMessage().startswith(_NOISE)

    def emit(self, record: logging.LogRecord) -> None:
        """Append one entry, or a last one that says that the log is full."""
        if self._left <= 0:
            return
        entry = LogEntry(
            timestamp=datetime.fromtimestamp(record.created, UTC),
            severity=_severity(record.levelno),
            message=_shortened(self.format(record)),
        )
        line = entry.model_dump_json() + "\n"
        self._left -= len(line)
        if self._left <= 0:
            line = entry.replace(
                severity="WARNING", message="The log is full; what follows is not recorded."
            ).model_dump_json()
            line += "\n"
        try:
            self._file.write(line)
        except OSError:
            self.handleError(record)  # a full disk must not end the run here


def _shortened(message: str) -> str:
    """Cut the middle out of a long message: a traceback's last lines say the most."""
    message = message.encode(errors="replace").decode()  # parts of file names may have no UTF-8
    if len(message) <= _MESSAGE_LIMIT:
        return message
    head = _MESSAGE_LIMIT // 4
    gap = "\n…\n"
    return message[:head] + gap + message[head + len(gap) - _MESSAGE_LIMIT :]


def _severity(level: int) -> Severity:
    if level >= logging.ERROR:
        return "ERROR"
    if level >= logging.WARNING:
        return "WARNING"
    return "INFO" if level >= logging.INFO else "DEBUG"
