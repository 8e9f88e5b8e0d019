"""Get text and a TOML document out of a file that may hold anything."""

import re
import stat
import tomllib
from pathlib import Path

_LARGEST_FILE_BYTES = 1_000_000
_SYNTAX_POSITION = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")


class UnreadableError(Exception):
    """The file as a whole gives nothing; `line` counts from 1."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def read_text(path: Path) -> str:
    """Return the text of a definition file.

    Raises:
        UnreadableError: it isn't a file, can't be read, is too large, or isn't UTF-8.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is not a file")
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {os_reason(error)}") from error
    if len(raw) > _LARGEST_FILE_BYTES:
        raise UnreadableError(f"is larger than {_LARGEST_FILE_BYTES // 1_000_000} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableError("is not UTF-8 text", line) from error


def parse(text: str) -> dict[str, object]:
    """Return the document.

    Raises:
        UnreadableError: it isn't valid TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise UnreadableError("is nested too deep") from error
    except ValueError as error:
        match = _SYNTAX_POSITION.fullmatch(str(error))
        if match is None:
            raise UnreadableError(f"isn't valid TOML: {error}") from error
        message, line, column = match.groups()
        where = f" (column {column})" if column else ""
        line_number = int(line) if line else text.rstrip().count("\n") + 1
        reason = f"isn't valid TOML: {message[:1].lower()}{message[1:]}{where}"
        raise UnreadableError(reason, line_number) from error


def os_reason(error: OSError) -> str:
    """Return the operating system's words, as "permission denied"."""
    return (error.strerror or str(error)).lower()
