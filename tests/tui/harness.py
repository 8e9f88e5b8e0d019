"""What tests of the app share: runs that do what a test says, one tab, and the whole app.

Databases are written by `Engine` and its services over the scripted backend, logs as a run writes
them; what is drawn is read from the screen's own strips.
"""

import asyncio
import functools
from datetime import timedelta

from sqlalchemy import text
from textual import events
from textual.app import App
from textual.widgets import Static

from engine.api import Engine
from engine.experiments import ExperimentService
from engine.glance import glance
from engine.spec.run_folder import LOGS, LogEntry
from engine.store import experiments, open_database
from engine.store.models import ExperimentRow
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import (
    START,
    ScriptedBackend,
    ended,
    epoch_records,
    metrics_of,
    training,
)
from tui.app import LOOK_SECONDS, TowerlabApp
from tui.ascii import OnlyAscii
from tui.link import Link
from tui.look import THEMES, Look
from tui.options import AppOptions

EPOCHS = 5
SETTINGS = "[worker]\nidle_seconds = 1\n\n[local]\nwarm_runner = false\n"
"""A worker that the app starts does its work and is gone."""
WIDE, SMALL = (120, 36), (80, 20)
KEYS = {"/": "slash", "#": "number_sign", " ": "space", "\n": "enter"}
"""Textual's names of characters that aren't their own."""
WAITING = ("watch-database", "watch-definitions", "operation", "choose")
"""Groups of workers that wait for news or for a person."""


def in_loop(test):
    """Run an async test in an event loop of its own."""

    @functools.wraps(test)
    def run_it(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run_it


class Shop:
    """A workspace whose runs do what a test says."""

    def __init__(self, folder):
        self.root = folder
        (folder / "config.toml").write_text(SETTINGS)
        self.workspace = Workspace(folder)
        self.backend = ScriptedBackend()
        backends = {"local": self.backend}
        self.engine = Engine(
            self.workspace, start_worker=False, backends=backends, planner=SamplePlanner()
        )
        self.database = open_database(self.workspace.database_url)
        self.service = ExperimentService(
            self.database, backends, SamplePlanner(), self.workspace.cache
        )

    def close(self):
        self.engine.close()
        self.database.close()

    def create(self, **changes):
        """Store an experiment that waits for its turn and return its snapshot."""
        return self.engine.create(REQUEST.replace(**changes))

    def copy(self, number, times):
        """Copy an experiment's record; the copies are named after their numbers."""
        copied = {
            "number": "NULL",
            "uid": "printf('%016x', i)",
            "name": f"'Number ' || ({number} + i)",
        }
        names = [column.name for column in ExperimentRow.__table__.columns]
        with self.database.write() as session:
            session.execute(
                text(
                    f"WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT {times})"
                    f" INSERT INTO experiments ({', '.join(names)})"
                    f" SELECT {', '.join(copied.get(name, name) for name in names)}"
                    f" FROM experiments, r WHERE number = {number}"
                )
            )

    def start(self, **changes):
        """Start an experiment."""
        return Run(self, self.create(epochs=EPOCHS, **changes))


class Run:
    """One experiment of a shop, submitted."""

    def __init__(self, shop, created):
        self.shop = shop
        self.root, self.backend, self.service = shop.root, shop.backend, shop.service
        self.number, self.uid = created.number, created.uid
        self.service.submit_quick_test(self.number)

    def look(self):
        """Let the worker look at the run, and return the snapshot."""
        self.service.poll_experiment_status(self.number)
        return self.shop.engine.get(self.number)

    def is_at(self, status):
        """Put the run into a state."""
        self.backend.put(self.uid, status)
        return self.look()

    def trains(self, epochs):
        self.backend.trained[self.uid] = epoch_records(epochs)
        return self.is_at(training(epochs + 1, EPOCHS, step=epochs, steps=EPOCHS))

    def completes(self, **metrics):
        self.backend.trained[self.uid] = epoch_records(EPOCHS)
        self.backend.results[self.uid] = metrics_of(EPOCHS, **metrics)
        return self.is_at(ended("completed"))

    def ends(self, outcome, *, epochs, error=None):
        self.backend.trained[self.uid] = epoch_records(epochs)
        return self.is_at(ended(outcome, error=error))

    def is_lost(self, message, hint):
        """Let a backend that doesn't answer be the last that was heard of it."""
        with self.shop.database.write() as session:
            seen = experiments.track(session, self.number)
            experiments.advance(session, seen, "lost", error_message=message, error_hint=hint)
        return self.shop.engine.get(self.number)

    def logs(self, component, *messages, first=0):
        """Append to a component's log, one line a second; a message may begin with a severity."""
        path = self.shop.workspace.run_folder(self.uid) / LOGS / f"{component}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            for second, message in enumerate(messages, first):
                file.write(_entry(message, START + timedelta(seconds=second)) + "\n")


def _entry(message, moment):
    severity, _, rest = message.partition("|")
    if severity not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        severity, rest = "INFO", message
    return LogEntry(timestamp=moment, severity=severity, message=rest).model_dump_json()


def drawn(app):
    """Return the lines on screen."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


class Harness(App):
    CSS = "#other { display: none; }"

    def __init__(self, make, look, theme):
        super().__init__()
        self._make_tab = make
        self.look = look
        for known in THEMES:
            self.register_theme(known)
        self.theme = theme

    def get_line_filters(self):
        return [*super().get_line_filters(), *([OnlyAscii()] if self.look.ascii else [])]

    def compose(self):
        yield self._make_tab()
        yield Static("elsewhere", id="other")


class Opened:
    """A tab in an app, shown a snapshot."""

    def __init__(
        self, kind, link, number, *, size=WIDE, ascii=False, theme="towerlab-dark", **arguments
    ):
        self._kind = kind
        look = Look(ascii=ascii)
        self.app = Harness(lambda: kind(link, look, number, **arguments), look, theme)
        self.context = self.app.run_test(size=size)
        self.link = link

    async def __aenter__(self):
        self.pilot = await self.context.__aenter__()
        return self

    async def __aexit__(self, *reason):
        await self.context.__aexit__(*reason)
        self.link.close()

    @property
    def widget(self):
        return self.app.query_one(self._kind)

    async def show(self, seen):
        """Hand the tab a snapshot and the focus."""
        self.widget.show(seen)
        self.app.set_focus(self._first_focusable())
        await self.settle()

    async def settle(self):
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in drawn(self.app))

    def _first_focusable(self):
        return next(widget for widget in (self.widget, *self.widget.query("*")) if widget.focusable)


class ShopLink(Link):
    """The engine of a shop, which starts no worker."""

    def __init__(self, shop, *, readonly=False):
        super().__init__(shop.root, readonly=readonly)
        self._shop = shop

    def _open(self):
        return self._shop.engine

    def close(self):
        """Leave the engine to the shop."""
        self._stop.set()


class OpenedApp:
    """The whole app on a shop; what is to be seen is waited for.

    Args:
        worker: whether it starts a worker, which a test's own looks at a run would race.
    """

    def __init__(self, shop, *, size=(120, 40), name="shop", worker=False, **options):
        options = AppOptions(root=shop.root, **options)
        self.app = TowerlabApp(options, name, glance(shop.root, limit=50))
        if not worker:
            self.app.link = ShopLink(shop, readonly=options.readonly)
        self.context = self.app.run_test(size=size, notifications=True)

    async def __aenter__(self):
        self.pilot = await self.context.__aenter__()
        await self.settle()
        return self

    async def __aexit__(self, *reason):
        await self.context.__aexit__(*reason)

    async def shows(self, *texts):
        """Wait until texts are on screen."""
        await self.until(lambda: all(text in self.text for text in texts))

    async def until(self, condition):
        """Wait until something is so."""
        for _ in range(int(40 * LOOK_SECONDS / 0.02)):
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"it did not happen:\n{self.text}")

    async def settle(self):
        """Wait until nothing is being read."""
        await self.pilot.pause()
        await self.until(lambda: all(w.is_finished or w.group in WAITING for w in self.app.workers))
        await self.pilot.pause()

    async def type(self, text):
        """Type so fast that the app gets all keys at once."""
        for character in text:
            key = events.Key(KEYS.get(character, character), character)
            self.app.post_message(key)
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.settle()

    @property
    def lines(self):
        return [line.rstrip() for line in drawn(self.app)]

    @property
    def text(self):
        return "\n".join(self.lines)
