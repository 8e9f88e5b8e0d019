"""What tests of the wizard share: real definitions and data, and the wizard in the app."""

from textual import events

from engine.api import Engine
from engine.glance import glance
from engine.workspace import Workspace
from tests.engine.scripted_backend import ScriptedBackend
from tests.sample_data import write_ratings
from tests.tui.harness import drawn
from tui.app import TowerlabApp
from tui.link import Link
from tui.options import AppOptions
from tui.screens.wizard import WizardScreen

WITHIN = 15.0
SMALL, WIDE, HUGE = (80, 24), (120, 40), (200, 50)
DEFINITIONS = """
[datasets.ratings]
primary = "ratings"
[datasets.ratings.tables]
ratings = "ratings.csv"
[datasets.ratings.roles]
buyer = "user"
product = "item"
timestamp = "at"

[features.basic]
dataset = "ratings"
[[features.basic.buyer]]
column = "user"
primary = true
[[features.basic.product]]
column = "item"
primary = true

[features.titled]
dataset = "ratings"
[[features.titled.buyer]]
column = "user"
primary = true
[[features.titled.product]]
column = "item"
primary = true
[[features.titled.product]]
column = "title"

[models.plain]
type = "retrieval"
preset = "minimal"
learning_rate = 0.02

[models.standard]
type = "retrieval"
preset = "standard"

[models.wide]
type = "retrieval"
preset = "deep"
batch_size = 64
"""

GROCERIES = """
[datasets.groceries]
primary = "transactions"
[datasets.groceries.tables]
transactions = "groceries/transactions.parquet"
products = "groceries/products.parquet"
[[datasets.groceries.joins]]
table = "products"
on = { product_id = "product_id" }
[datasets.groceries.columns]
household_id = "transactions.household_id"
product_id = "transactions.product_id"
department = "products.department"
[datasets.groceries.roles]
buyer = "household_id"
product = "product_id"

[features.shelf]
dataset = "groceries"
[[features.shelf.buyer]]
column = "household_id"
primary = true
[[features.shelf.product]]
column = "product_id"
primary = true
[[features.shelf.product]]
column = "department"
"""

BROKEN = """
[features.torn]
dataset = "ratings"
[[features.torn.buyer]]
column = "user"
primary = true
dimm = 8
[[features.torn.product]]
column = "item"
primary = true

[models.enormous]
type = "retrieval"
preset = "enormous"
"""


def workspace_in(folder):
    """Make a workspace with two feature configs, three model configs and 2,000 ratings."""
    (folder / "config.toml").touch()
    (folder / "definitions").mkdir()
    define(folder, DEFINITIONS)
    write_ratings(folder / "ratings.csv", 2_000)
    return folder


def define(root, text, name="all"):
    (root / "definitions" / f"{name}.toml").write_text(text)


def engine_on(root):
    backends = {"local": ScriptedBackend()}
    return Engine(Workspace(root), start_worker=False, backends=backends)


class NoWorker(Link):
    """A link whose engine starts no worker."""

    def _open(self):
        with self._opening:
            if self._engine is None:
                self._engine = engine_on(self.root)
            return self._engine


class Wizard:
    """The app with its wizard open."""

    def __init__(self, root, *, size=WIDE, readonly=False, ascii=False):
        options = AppOptions(root=root, ascii=ascii)
        self.app = TowerlabApp(options, "shop", glance(root, limit=50))
        self.app.link = NoWorker(root, readonly=readonly)
        self._context = self.app.run_test(size=size, notifications=True)

    async def __aenter__(self):
        self._pilot = await self._context.__aenter__()
        self.screen = WizardScreen(self.app.link, self.app.look)
        self.results = []
        self.app.push_screen(self.screen, self.results.append)
        await self.until(lambda: self.screen._definitions is not None)
        await self.settle()
        return self

    async def __aexit__(self, *reason):
        await self._context.__aexit__(*reason)

    async def until(self, condition):
        """Wait until something is so."""
        for _ in range(int(WITHIN / 0.02)):
            if condition():
                return
            await self._pilot.pause(0.02)
        raise AssertionError(f"not within {WITHIN:g} s:\n{self.text}")

    async def shows(self, text):
        await self.until(lambda: text in self.text)

    async def settle(self):
        """Wait until every answer is there."""
        asked = (self.screen._forecast, *vars(self.screen._previews).values())
        await self.until(lambda: not any(getattr(latest, "pending", False) for latest in asked))
        await self._pilot.pause()

    async def press(self, *keys):
        await self._pilot.press(*keys)
        await self._pilot.pause()

    async def write(self, field, text):
        """Go to a field and replace what is in it."""
        self.go(field)
        await self.press("end", "ctrl+u", *text)

    async def paste(self, text):
        self.app.post_message(events.Paste(text))
        await self._pilot.pause()

    async def click(self, selector, *, line, cell):
        await self._pilot.click(selector, offset=(cell, line))
        await self._pilot.pause()

    async def burst(self, *keys):
        """Press keys so fast that the app gets them all at once."""
        for key in keys:
            self.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await self._pilot.pause()

    def go(self, field):
        self.screen._focus_field(field)

    def value(self, field):
        return self.screen.form.fields[field].control.value

    def note(self, field):
        """What stands beneath a field."""
        note = self.screen.form.fields[field].query_one(".note")
        return str(note.render()) if note.display else ""

    async def start(self):
        """Press Ctrl-S, wait for the experiment and return it as it is stored."""
        await self.press("ctrl+s")
        await self.until(lambda: self.results)
        return self.engine.get(self.results[0])

    @property
    def engine(self):
        return self.app.link._open()

    @property
    def focus(self):
        """The field that has the focus."""
        return getattr(self.app.screen.focused, "field", None)

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in drawn(self.app))
