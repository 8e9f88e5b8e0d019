"""The one place where the app calls the engine.

Calls run in threads: the event loop never waits for a disk. The engine itself is opened by the
first call, since importing it takes longer than drawing the first frame.
"""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from engine.errors import NotAllowed

if TYPE_CHECKING:
    from textual.messages import Prune
    from textual.widget import Widget

    from engine.api import Engine
    from engine.definitions import Definitions

_T = TypeVar("_T")


class Link:
    """Asks the engine of one workspace. Belongs to the event loop's thread.

    Args:
        root: folder of the workspace.
        readonly: whether everything that changes something is refused, and no worker is started.
    """

    def __init__(self, root: Path, *, readonly: bool = False) -> None:
        self.root = root
        self.readonly = readonly
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._stop = threading.Event()

    async def ask(self, call: "Callable[[Engine], _T]") -> _T:
        """Return what a reading call returns.

        Raises:
            EngineError: as the call does.
        """
        return await asyncio.to_thread(lambda: call(self._open()))

    async def order(self, call: "Callable[[Engine], _T]") -> _T:
        """Return what a call that changes something returns.

        Raises:
            NotAllowed: the app was started with `--readonly`.
            EngineError: as the call does.
        """
        if self.readonly:
            raise NotAllowed(
                "This app was started with --readonly.", hint="Start it without to change anything."
            )
        return await self.ask(call)

    async def follow_definitions(self, on_change: "Callable[[Definitions], None]") -> None:
        """Call `on_change`, in another thread, now and at each change, until closed.

        Raises:
            EngineError: the definitions' folder cannot be read.
        """
        await self.ask(lambda engine: engine.watch_definitions(self._stop, on_change))

    def close(self) -> None:
        """Close the engine; runs go on."""
        self._stop.set()
        with self._opening:
            if self._engine is not None:
                self._engine.close()

    def _open(self) -> "Engine":
        with self._opening:
            if self._engine is None:
                from engine.api import Engine
                from engine.workspace import Workspace

                self._engine = Engine(Workspace(self.root), start_worker=not self.readonly)
            return self._engine


class Asking:
    """A screen or widget whose workers ask the engine; to be its first base class.

    When it is removed, its parts go first: an answer that came just then would not find them.
    """

    async def on_prune(self, event: "Prune") -> None:
        """End the workers before anything is removed."""
        del event
        node = cast("Widget", self)
        node.workers.cancel_node(node)
