"""The definitions of a workspace as they are now, and as they change."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import watchfiles

from engine.definitions.reading import read_definitions
from engine.definitions.snapshot import Definitions

_DEBOUNCE_MS = 150
_SWEEP_MS = 500
"""How often files are compared without a notice: network file systems send none."""

_Stamp = frozenset[tuple[str, int, int, int]]


class DefinitionCatalog:
    """Holds the newest snapshot of a folder of definition files. Safe to use from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._current: Definitions | None = None

    @property
    def current(self) -> Definitions:
        """The newest snapshot; reads the files the first time."""
        return self._current or self.refresh()

    def refresh(self) -> Definitions:
        """Read the files again; what is wrong now keeps its last good version."""
        with self._lock:
            self._current = read_definitions(self._folder, self._current)
            return self._current

    def watch(self, stop_event: threading.Event, on_change: Callable[[Definitions], None]) -> None:
        """Call `on_change` with the present snapshot, then with each new one within a second.

        The first call tells whoever read the files before what has changed since. Blocks until
        stopped; meant for a thread of its own. A folder that is missing or replaced is picked up
        when it is there.
        """
        stamp: _Stamp | None = None
        last = self.refresh()
        on_change(last)
        while not stop_event.is_set():
            for _ in _looks(self._folder, stop_event):
                newest = _stamp(self._folder)
                if newest == stamp:
                    continue
                stamp, definitions = newest, self.refresh()
                if definitions != last:
                    last = definitions
                    on_change(definitions)
                if not self._folder.is_dir():
                    break


def _looks(folder: Path, stop_event: threading.Event) -> Iterator[None]:
    """Yield whenever the files should be compared: at a notice, and at each sweep.

    Ends after one sweep where watchfiles can't watch: the folder is missing (or goes at this very
    moment), or the system has no watches left.
    """
    try:
        for _ in watchfiles.watch(
            folder,
            stop_event=stop_event,
            debounce=_DEBOUNCE_MS,
            rust_timeout=_SWEEP_MS,
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=False,
        ):
            yield
    except OSError:
        stop_event.wait(_SWEEP_MS / 1000)
        yield


def _stamp(folder: Path) -> _Stamp:
    """Return name, inode, size and modification time of every definition file."""
    found: set[tuple[str, int, int, int]] = set()
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".toml")]
    except OSError:
        return frozenset()
    for name in names:
        try:
            status = (folder / name).stat()
        except OSError:
            found.add((name, 0, 0, 0))  # a broken link, or gone since; reading it reports why
        else:
            found.add((name, status.st_ino, status.st_size, status.st_mtime_ns))
    return frozenset(found)
