"""What can be done to experiments from any screen: new, rerun, cancel, delete, copy.

Each asks first where something ends or is lost, then gives the engine an order in the background
and says what became of it. None is an action that takes an argument, so that no text on screen can
trigger one.
"""

import shlex
from typing import TYPE_CHECKING, TypeVar

from textual.screen import Screen

from engine.errors import EngineError
from engine.text import safe_line
from tui.link import Link
from tui.look import Look
from tui.messages import OpenExperiment
from tui.screens.confirm import Confirm, Rerun

if TYPE_CHECKING:
    from engine.cards import Card
    from engine.snapshots import ExperimentDetail

_R = TypeVar("_R")
_PATIENCE_SECONDS = 90.0
"""How long it is told that BigQuery is asked; it answers or is given up before."""


def can_be_cancelled(seen: "Card | ExperimentDetail") -> bool:
    """Return whether an experiment can be told to end."""
    return not seen.ended and seen.intent is None


class Operations:
    """The operations of one screen.

    Args:
        screen: where dialogs open and results are told.
        link: to the engine.
        look: what the terminal can show.
    """

    def __init__(self, screen: Screen[_R], link: Link, look: Look) -> None:
        self._screen = screen
        self._link = link
        self._look = look

    async def new(self) -> None:
        """Open the wizard and, when a run was started, its experiment.

        Returns when the wizard takes keys.
        """
        if not self._allowed():
            return
        from tui.screens.wizard import WizardScreen

        wizard = WizardScreen(self._link, self._look)
        await self._screen.app.push_screen(wizard, self._open)
        await wizard.until_ready()

    def rerun(self, number: int) -> None:
        """Ask for changes and run an experiment again."""
        if self._allowed():
            self._screen.run_worker(self._rerun(number), group="operation", exclusive=True)

    def promote(self, number: int) -> None:
        """Tell what running an experiment on all rows in the cloud reads, ask, and run it."""
        if self._allowed():
            self._screen.run_worker(self._promote(number), group="operation", exclusive=True)

    def cancel(self, number: int) -> None:
        """Ask, then cancel an experiment."""
        if self._allowed():
            self._screen.run_worker(self._cancel(number), group="operation", exclusive=True)

    def delete(self, number: int) -> None:
        """Ask, then delete an experiment."""
        if self._allowed():
            self._screen.run_worker(self._delete(number), group="operation", exclusive=True)

    def copy(self, number: int) -> None:
        """Copy the command that shows an experiment."""
        command = f"towerlab show {number} --workspace {shlex.quote(str(self._link.root))}"
        self._screen.app.copy_to_clipboard(safe_line(command))
        self._tell(f"Copied: {command}")

    def _open(self, number: int | None) -> None:
        if number is not None:
            self._screen.post_message(OpenExperiment(number))

    async def _rerun(self, number: int) -> None:
        seen = await self._get(number)
        if seen is None:
            return
        if not seen.ended:
            self._tell(f"#{number} has not ended yet; cancel it first, or wait.", bad=True)
            return
        params = {
            "epochs": str(seen.params.epochs),
            "batch_size": str(seen.params.batch_size),
            "learning_rate": f"{seen.params.learning_rate:g}",
            "sample": f"{seen.params.sample_percent:g}",
        }

        async def start(changes: dict[str, str]) -> int:
            return (await self._link.order(lambda engine: engine.rerun(number, changes))).number

        started = await self._screen.app.push_screen_wait(Rerun(number, seen.name, params, start))
        if started is not None:
            self._screen.post_message(OpenExperiment(int(started)))

    async def _promote(self, number: int) -> None:
        self._tell(f"Looking at what #{number} on all rows would read …", seconds=_PATIENCE_SECONDS)
        try:
            found = await self._link.ask(lambda engine: engine.promotion(number))
        except EngineError as error:
            self._screen.app.clear_notifications()
            self._tell(f"{error.message} {error.hint}", bad=True)
            return
        self._screen.app.clear_notifications()
        questions = [
            Confirm(
                f"Run #{number} on all rows, on Google Cloud?",
                f"{found} It costs what Google Cloud charges.",
                verb="run it there",
            )
        ]
        if found.doubts:
            told = "\n".join(found.doubts)
            questions.append(Confirm("Run it all the same?", told, verb="run it all the same"))
        for question in questions:
            if await self._screen.app.push_screen_wait(question) is None:
                return
        try:
            started = await self._link.order(lambda engine: engine.promote(found))
        except EngineError as error:
            self._tell(f"{error.message} {error.hint}", bad=True)
            return
        self._screen.post_message(OpenExperiment(started.number))

    async def _cancel(self, number: int) -> None:
        seen = await self._get(number)
        if seen is None:
            return
        if seen.ended:
            self._tell(f"#{number} has ended already.", bad=True)
            return
        dialog = Confirm(
            f"Cancel #{number} {seen.name}?",
            "The run ends. What its components have finished stays in the cache for the next one.",
            verb="cancel the run",
        )
        if await self._screen.app.push_screen_wait(dialog) is None:
            return
        try:
            await self._link.order(lambda engine: engine.cancel(number))
        except EngineError as error:
            self._tell(f"{error.message} {error.hint}", bad=True)

    async def _delete(self, number: int) -> None:
        seen = await self._get(number)
        if seen is None:
            return
        consequence = "Its record, logs, metrics and model are removed for good."
        if not seen.ended:
            consequence = f"It is still running and is cancelled first. {consequence}"
        dialog = Confirm(f"Delete #{number} {seen.name}?", consequence, verb="delete it")
        if await self._screen.app.push_screen_wait(dialog) is None:
            return
        try:
            await self._link.order(lambda engine: engine.delete(number))
        except EngineError as error:
            self._tell(f"{error.message} {error.hint}", bad=True)

    async def _get(self, number: int) -> "ExperimentDetail | None":
        try:
            return await self._link.ask(lambda engine: engine.get(number))
        except EngineError as error:
            self._tell(f"{error.message} {error.hint}", bad=True)
            return None

    def _allowed(self) -> bool:
        if self._link.readonly:
            self._tell("This app was started with --readonly: nothing can be changed.", bad=True)
        return not self._link.readonly

    def _tell(self, sentence: str, *, bad: bool = False, seconds: float | None = None) -> None:
        self._screen.notify(
            safe_line(sentence.strip(), limit=400),
            severity="error" if bad else "information",
            markup=False,
            timeout=seconds,
        )
