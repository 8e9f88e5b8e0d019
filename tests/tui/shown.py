"""The app shown in a terminal of so many columns and lines, still, for a picture."""

from pathlib import Path

from textual.app import App
from textual.widgets import Input

from engine.glance import glance
from tests.tui.pictures import text_of
from tui.app import TowerlabApp
from tui.options import AppOptions

_WITHIN_SECONDS = 10
_STEP_SECONDS = 0.02
_WAITING = ("watch-database", "watch-definitions", "operation", "choose")
"""Groups of workers that wait for news or for a person."""


class Shown:
    """An app, driven by keys.

    Args:
        app: which one.
        size: columns and lines.
    """

    def __init__(self, app: App[object], size: tuple[int, int]) -> None:
        self.app = app
        self._context = app.run_test(size=size, notifications=True)

    async def __aenter__(self) -> "Shown":
        self._pilot = await self._context.__aenter__()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._context.__aexit__(*reason)

    async def press(self, *keys: str, shows: str = "", hides: str = "", busy: bool = False) -> None:
        """Press keys and wait as `shows` does."""
        await self._pilot.press(*keys)
        await self.shows(shows, hides=hides, busy=busy)

    async def shows(self, text: str, *, hides: str = "", busy: bool = False) -> None:
        """Wait until a text is there, or no longer there, and all is still, unless it is busy."""
        for _ in range(int(_WITHIN_SECONDS / _STEP_SECONDS)):
            await self._pilot.pause()
            seen = text_of(self.app)
            if text in seen and not (hides and hides in seen) and (busy or self._is_still()):
                break
            await self._pilot.pause(_STEP_SECONDS)
        else:
            raise AssertionError(f"no {text!r} within {_WITHIN_SECONDS} s:\n{text_of(self.app)}")
        for field in self.app.screen.query(Input):
            field.cursor_blink = False
        await self._pilot.pause()

    def _is_still(self) -> bool:
        return all(worker.is_finished or worker.group in _WAITING for worker in self.app.workers)


def on_workspace(root: Path, size: tuple[int, int], **options: object) -> Shown:
    """Show the app on a workspace as the command `towerlab` does."""
    first = glance(root, limit=50)
    return Shown(TowerlabApp(AppOptions(root=root, **options), "grocery", first), size)  # pyright: ignore[reportArgumentType]
