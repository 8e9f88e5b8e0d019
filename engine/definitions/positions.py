"""On which line each key of a TOML document stands.

Neither tomllib nor tomlkit tells. The scanner runs on text that tomllib has accepted, so it only
follows structure: headers, keys, arrays and inline tables; it skips every other value.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_OTHER_VALUE = re.compile(r"[^,\]}\n#]+")


def key_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) on which each table, key and array element first stands.

    Args:
        text: a document that `tomllib` accepts.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.read_document()
    return scanner.lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """Return the line of the longest part of a path that the document has."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line_ends = [m.start() for m in re.finditer("\n", text)]
        self._array_sizes: dict[Path, int] = {}

    def read_document(self) -> None:
        table: Path = ()
        while self._skip_space():
            start = self._at
            if self._take("["):
                table = self._read_header()
            else:
                self._read_pair(table)
            if self._at == start:  # cannot happen in a valid document; never loop forever
                return

    def _read_header(self) -> Path:
        is_array = self._take("[")
        *parents, last = self._read_key()
        path: Path = ()
        for part in parents:
            path = self._enter((*path, part))
        path = (*path, last)
        if is_array:
            self._note(path)
            self._array_sizes[path] = self._array_sizes.get(path, 0) + 1
            path = (*path, self._array_sizes[path] - 1)
        self._note(path)
        self._take("]")
        if is_array:
            self._take("]")
        return path

    def _enter(self, path: Path) -> Path:
        """Return the path of the newest element where `path` is an array of tables."""
        self._note(path)
        size = self._array_sizes.get(path)
        return path if size is None else (*path, size - 1)

    def _read_pair(self, table: Path) -> None:
        path = table
        for part in self._read_key():
            path = (*path, part)
            self._note(path)
        self._take("=")
        self._read_value(path)

    def _read_key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip_blanks()
            match = _BARE_KEY.match(self._text, self._at) or _STRING.match(self._text, self._at)
            raw = match.group() if match else ""
            self._at += len(raw)
            parts.append(tomllib.loads(f"key = {raw}")["key"] if raw[:1] in {'"', "'"} else raw)
            if not self._take("."):
                return parts

    def _read_value(self, path: Path) -> None:
        self._skip_blanks()
        if self._take("["):
            index = 0
            while self._skip_space() and not self._take("]"):
                self._note((*path, index))
                self._read_value((*path, index))
                self._skip_space()
                self._take(",")
                index += 1
        elif self._take("{"):
            while self._skip_space() and not self._take("}"):
                self._read_pair(path)
                self._skip_space()
                self._take(",")
        else:
            match = _STRING.match(self._text, self._at) or _OTHER_VALUE.match(self._text, self._at)
            self._at = match.end() if match else len(self._text)

    def _take(self, character: str) -> bool:
        self._skip_blanks()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _skip_blanks(self) -> None:
        while self._text[self._at : self._at + 1] in {" ", "\t"}:
            self._at += 1

    def _skip_space(self) -> bool:
        """Skip blanks, line ends and comments; tell whether anything is left."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, bisect_right(self._line_ends, self._at - 1) + 1)
