"""Crash reports: a traceback in a file of its own, without local variables, tokens masked."""

import os
import re
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

_SECRETS = re.compile(
    r"(?P<key>ya29\.|Bearer |eyJ|(?:token|password|secret|api_?key)\s*[=:]\s*|://[^/\s:@]*:)"
    r"[^\s'\"@,;)]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return the text with what looks like a token or password replaced by `***`."""
    return _SECRETS.sub(lambda match: f"{match['key']}***", text)


def write_crash_report(error: BaseException) -> Path:
    """Write a report about an unexpected error to a private file and return its path."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    text = (
        f"Towerlab crashed at {datetime.now(UTC).isoformat(timespec='seconds')}\n"
        f"Python {sys.version.split()[0]} on {sys.platform}\n\n{''.join(lines)}"
    )
    prefix = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-"
    try:
        folder = _state_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(".txt", prefix, folder)
    except OSError:  # no home, or it is read-only: any private file is better than none
        descriptor, path = tempfile.mkstemp(".txt", f"towerlab-{prefix}")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(masked(text))
    return Path(path)


def _state_folder() -> Path:
    """Return the folder that the XDG base directory specification gives programs for logs."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "state"
    return base / "towerlab"
