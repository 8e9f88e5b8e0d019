"""The app: its screens, theme and signals, and the news that it hands to them."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.command import CommandPalette
from textual.filter import LineFilter
from textual.screen import Screen

from engine.errors import EngineError
from engine.glance import Glance
from engine.metric_names import metric_label
from engine.text import safe_line
from tui.actions import ACTIONS, Action, bindings
from tui.ascii import OnlyAscii
from tui.leaving import leave_on_signals
from tui.link import Link
from tui.look import ANSI, DARK, LIGHT, THEMES, Look
from tui.messages import DefinitionsChanged, OpenExperiment, WorkspaceChanged
from tui.options import AppOptions
from tui.screens.experiments import ExperimentsScreen
from tui.widgets.scroll_bar import use_whole_cells

if TYPE_CHECKING:
    from engine.api import Engine

LOOK_SECONDS = 0.5
"""How often the app looks whether somebody changed the database."""
_SETTLE_SECONDS = 0.1
"""How long after mounting the engine is loaded: importing it would delay the first frame."""


class TowerlabApp(App[int]):
    """Towerlab, full-screen, on one workspace.

    Args:
        options: how it was started.
        name: of the workspace.
        first: what the first frame shows; None when it has to wait for the engine.
    """

    CSS = """
    ToastRack { margin-bottom: 1; }
    Toast { max-width: 70; }
    CommandPalette SearchIcon { display: none; }
    """
    TITLE = "Towerlab"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar = [
        *bindings("help", "theme", "suspend", "quit"),
        Binding("colon", "command_palette", show=False),
        Binding("ctrl+q", "quit", show=False, priority=True),  # in dialogs and fields too
    ]
    animation_level = "none"

    def __init__(self, options: AppOptions, name: str, first: Glance | None) -> None:
        super().__init__()
        use_whole_cells()
        self._options = options
        self._workspace = name
        self._first = first
        self.look = Look(ascii=options.ascii)
        self.link = Link(options.root, readonly=options.readonly)
        self._token: int | None = None
        self._active: set[int] = set()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = ANSI.name if options.color == "16" else DARK.name
        self._ascii = [OnlyAscii()] if options.ascii else []

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what changes every line before it is drawn."""
        return [*super().get_line_filters(), *self._ascii]

    def get_default_screen(self) -> Screen[None]:
        """Return the list of experiments."""
        cards = self._first.page if self._first else None
        return ExperimentsScreen(self.link, self.look, self._workspace, cards)

    def on_mount(self) -> None:
        """Load the engine once the first frame stands."""
        self.animation_level = "none"
        leave_on_signals(lambda code: self.exit(return_code=code))
        self.app_resume_signal.subscribe(self, self._draw_anew)
        self.set_timer(_SETTLE_SECONDS, self._begin)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return what the palette offers: every action that counts here."""
        here = {a.binding.id: a for a in screen.active_bindings.values() if a.enabled}
        for action in ACTIONS.values():
            active = here.get(action.id)
            if active is None or action.group == "Move" or action.id in {"palette", "back"}:
                continue
            if self._forbids(action):
                continue
            node, name = active.node, active.binding.action
            yield SystemCommand(
                f"{action.label.capitalize()}  ({self.look.draw(action.key)})",
                action.help,
                lambda node=node, name=name: self._run_later(name, node),
            )

    def on_open_experiment(self, event: OpenExperiment) -> None:
        """Show an experiment above the list."""
        event.stop()
        self.open_experiment(event.number)

    def open_experiment(self, number: int, *, tab: int | None = None) -> None:
        """Show an experiment; one that is open already makes way."""
        from tui.screens.experiment import ExperimentScreen

        screen = ExperimentScreen(self.link, self.look, number, tab=tab)
        if isinstance(self.screen, ExperimentScreen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def action_help(self) -> None:
        """Show the keys."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen | CommandPalette):
            return
        ids = [active.binding.id or "" for active in self.screen.active_bindings.values()]
        here = [id_ for id_ in ids if id_ in ACTIONS and not self._forbids(ACTIONS[id_])]
        self.push_screen(HelpScreen(self.look, here))

    def action_theme(self) -> None:
        """Change between light and dark."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_suspend(self) -> None:
        """Go to the background, as other programs do with Ctrl-Z."""
        self.action_suspend_process()

    async def action_quit(self) -> None:
        """Leave; runs go on."""
        self.exit()

    def on_unmount(self) -> None:
        """Let the engine go."""
        self.link.close()

    def _fatal_error(self) -> None:
        """Leave after an error that nobody expected: a private report instead of a traceback.

        Textual's own way prints the values of local variables, which may be anything.
        """
        from rich.text import Text

        from engine.crash import write_crash_report

        error = self._exception
        if error is not None:
            cause = getattr(error, "error", error)  # a worker's error stands inside WorkerFailed
            kind = type(cause).__name__
            try:
                told = f"the report is in {write_crash_report(cause)}"
            except OSError:
                told = "and no report could be written"
            self._exit_renderables.append(
                Text(f"Towerlab failed unexpectedly ({kind}); {told}. Runs go on.")
            )
        self._close_messages_no_wait()

    def _begin(self) -> None:
        """Open what was asked for and begin to look for changes."""
        if self._options.number is not None:
            self.open_experiment(self._options.number, tab=1)
        self._watch_database()
        self._watch_definitions()

    @work(group="watch-database")
    async def _watch_database(self) -> None:
        while True:
            try:
                token = await self.link.ask(lambda engine: engine.change_token())
                if token != self._token:
                    self._token = token
                    await self._tell_ends()
                    self._announce(WorkspaceChanged)
            except EngineError:
                # The visible screen meets the same error when it reads, and says so.
                self._token = None
                self._announce(WorkspaceChanged)
                await asyncio.sleep(LOOK_SECONDS * 4)
            await asyncio.sleep(LOOK_SECONDS)

    @work(group="watch-definitions")
    async def _watch_definitions(self) -> None:
        """Pass on that definition files changed."""
        loop = asyncio.get_running_loop()

        def changed(_: object) -> None:
            loop.call_soon_threadsafe(self._announce, DefinitionsChanged)

        try:
            await self.link.follow_definitions(changed)
        except EngineError:
            return  # the wizard says what is wrong with them when it reads them

    async def _tell_ends(self) -> None:
        """Say which of the runs that were active have ended."""
        now = await self.link.ask(_active_numbers)
        ended, self._active = self._active - now, now
        for number in sorted(ended):
            try:
                seen = await self.link.ask(lambda engine, number=number: engine.get(number))
            except EngineError:
                continue  # deleted: nobody waits for it
            if not seen.ended:
                continue
            severity = {"completed": "information", "failed": "error"}.get(seen.status, "warning")
            told = f"#{number} {safe_line(seen.name, limit=60)} {seen.status}".replace("  ", " ")
            if seen.status == "completed" and seen.interval is not None:
                label = safe_line(metric_label(seen.interval.metric), limit=40)
                told += f": {label} {seen.interval.value:.3f}"
            elif seen.error is not None:
                told += f": {safe_line(seen.error.message, limit=120)}"
            self.notify(told, severity=severity, markup=False, timeout=8)  # pyright: ignore[reportArgumentType]
            if not self.app_focus:
                self.bell()

    def _announce(self, message: type[WorkspaceChanged] | type[DefinitionsChanged]) -> None:
        """Tell the screens that can be seen; one that is covered reads anew when it reappears."""
        for screen in reversed(self.screen_stack):
            screen.post_message(message())
            if screen.styles.background.a == 1:
                return

    def _draw_anew(self, _: object) -> None:
        """After `fg` the terminal is empty, of which Textual takes no notice."""
        self.screen.refresh()

    def _forbids(self, action: Action) -> bool:
        return action.writes and self._options.readonly

    def _run_later(self, name: str, node: object) -> None:
        self.call_later(self.run_action, name, node)


def _active_numbers(engine: "Engine") -> set[int]:
    found: set[int] = set()
    for status in ("submitting", "running", "lost"):
        found.update(card.number for card in engine.cards(status=status, limit=100).items)
    return found
