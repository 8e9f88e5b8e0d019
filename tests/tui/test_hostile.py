"""Foreign text, wherever it is drawn, is drawn literally: never a sequence, markup or an action."""

import asyncio
import csv
import json
import tempfile
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from textual import events

from engine.errors import EnvironmentNotReady
from engine.snapshots import LogLine
from engine.spec.run_folder import LOGS
from engine.states import STATUSES
from engine.store import documents, experiments
from engine.store.insertion import WARNINGS
from tests.engine.scripted_backend import START, epoch_records, failure, training
from tests.tui.harness import EPOCHS, Opened, OpenedApp, Shop, in_loop
from tests.tui.hostile import MARK, anything, check, storable, unsafe
from tui.cards import Frame, card_lines
from tui.link import Link
from tui.look import Look
from tui.messages import WorkspaceChanged
from tui.screens.confirm import Choose, Confirm, Rerun
from tui.screens.experiment import ExperimentScreen
from tui.screens.pipeline_tab import PipelineTab
from tui.screens.wizard import WizardScreen
from tui.widgets.filter_bar import Chip
from tui.widgets.log_entries import log_entries
from tui.widgets.log_table import LogTable

QUIET = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SIZES = st.sampled_from([(120, 40), (80, 24), (60, 16)])
TEXTS = ("name", "description", "dataset", "feature_config", "model_config", "error_hint")


def hostile_shop(folder, draw):
    """Return a shop with one run that failed and one at work, all of whose texts are drawn."""
    shop = Shop(folder)
    for ends in (True, False):
        run = shop.start(name="x")
        run.backend.trained[run.uid] = epoch_records(2)
        status = training(2, EPOCHS, step=2, steps=EPOCHS)
        if ends:
            status = status.replace(phase="failed", error=failure(draw(storable)))
        run.is_at(status)
        run.logs("Train", *(f"WARNING|{draw(storable)}" for _ in range(4)))
        with shop.database.write() as session:
            texts = {column: draw(storable) for column in TEXTS}
            experiments.amend(session, run.number, **texts, tags=[draw(storable), draw(storable)])
            warnings = WARNINGS.dump_json((draw(storable), draw(storable))).decode()
            documents.put(session, run.number, "warnings", warnings)
    return shop


def log_of(run, component):
    """Return the path of a component's log, in a folder that exists."""
    run.logs(component)
    return run.shop.workspace.run_folder(run.uid) / LOGS / f"{component}.jsonl"


@contextmanager
def bounded(*, megabytes):
    """Assert that something takes no more memory than that, so looks at no more text."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()


async def visit(app, *keys, until=None):
    """Press keys, wait, and check what is drawn."""
    await app.press(*keys)
    if until is not None:
        await app.until(until)
        await app.settle()
    check(app.app)


async def paste(app, text):
    app.app.screen.focused.post_message(events.Paste(text))
    await app.settle()
    check(app.app)


async def visit_list(app, words):
    check(app.app)
    assert MARK in app.text
    await visit(app, "slash")
    await paste(app, words)
    await visit(app, "escape", "escape")
    for chip in list(app.app.screen.query(Chip))[2:]:
        app.app.set_focus(chip)
        await visit(app, "enter", until=lambda: isinstance(app.app.screen, Choose))
        assert MARK in app.text
        await visit(app, "down", "enter")
    app.app.set_focus(app.app.screen.query_one("CardList"))
    await visit(app, "escape", "j")
    await visit(app, "d", until=lambda: isinstance(app.app.screen, Confirm))
    assert MARK in app.text
    await visit(app, "escape", "r", until=lambda: isinstance(app.app.screen, Rerun))
    assert MARK in app.text
    await paste(app, words)
    await visit(app, "enter", "escape", "y")


async def visit_experiment(app, words):
    await visit(app, "enter", until=lambda: isinstance(app.app.screen, ExperimentScreen))
    await app.until(lambda: MARK in app.text)
    for _ in range(3):
        await visit(app, "right_square_bracket")
        assert MARK in app.text
        if app.app.screen.query(LogTable) and isinstance(app.app.focused, LogTable):
            await visit(app, "enter", "down", "enter", "y")
            await visit(app, "slash")
            await paste(app, words)
            await visit(app, "escape")


@settings(QUIET, max_examples=3)
@given(data=st.data(), size=SIZES, plain=st.booleans())
def test_nothing_of_an_experiment_is_interpreted(data, size, plain):
    async def look_around(shop):
        async with OpenedApp(shop, size=size, ascii=plain, name=data.draw(anything)) as app:
            theme = app.app.theme
            await visit_list(app, data.draw(storable))
            await visit_experiment(app, data.draw(storable))
            assert app.app.is_running
            assert app.app.theme == theme

    with tempfile.TemporaryDirectory() as folder:
        shop = hostile_shop(Path(folder), data.draw)
        try:
            asyncio.run(look_around(shop))
        finally:
            shop.close()


@settings(QUIET, max_examples=3)
@given(data=st.data(), size=SIZES)
def test_no_news_is_interpreted(data, size):
    async def hear(shop, run):
        async with OpenedApp(shop, size=size) as app:
            await app.until(lambda: app.app._active)
            run.ends("failed", epochs=1, error=failure(data.draw(storable)))
            await app.until(lambda: app.app.screen.query("Toast"))
            await app.settle()
            check(app.app)
            assert MARK in app.text

    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        try:
            run = shop.start(name=data.draw(storable))
            run.trains(1)
            asyncio.run(hear(shop, run))
        finally:
            shop.close()


TROUBLE = st.builds(lambda *told: EnvironmentNotReady(told[0], hint=told[1]), anything, anything)


@settings(QUIET, max_examples=3)
@given(data=st.data(), size=SIZES)
def test_no_error_is_interpreted(data, size):
    # Drawn before: a call may still be under way when the example is over.
    errors = cycle(data.draw(st.lists(TROUBLE, min_size=3, max_size=6)))

    async def fail(shop):
        async def failing(call):
            raise next(errors)

        async with OpenedApp(shop, size=size) as app:
            ask, app.app.link.ask = app.app.link.ask, failing
            app.app._announce(WorkspaceChanged)
            await visit(app, "r")
            app.app.link.ask = ask
            await visit(app, "enter", until=lambda: isinstance(app.app.screen, ExperimentScreen))
            await app.shows("Pipeline")
            app.app.link.ask = failing
            await visit(app, "R")
            await visit(app, "right_square_bracket")
            app.app._announce(WorkspaceChanged)
            await visit(app)
            await visit(app, "escape")

    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        try:
            shop.start(name="x").trains(2)
            asyncio.run(fail(shop))
        finally:
            shop.close()


DEFINITIONS = """
[datasets.{data}]
primary = {data}
tables = {{ {data} = "ratings.csv" }}
roles = {{ buyer = "user", product = "item" }}

[features.{name}]
dataset = {data}
buyer = [{{ column = "user", primary = true }}]
product = [{{ column = "item", primary = true }}, {{ column = {column} }}]

[features.{wrong}]
dataset = {wrong}
{wrong} = {wrong}

[models.{name}]
type = "retrieval"
preset = "minimal"

[models.{wrong}]
type = {wrong}
"""


def define(root, data):
    """Write definitions whose names, keys and values are hostile, some of them valid."""
    names = {
        name: "".join(filter(str.isprintable, data.draw(storable)))[:90]
        for name in ("data", "name", "column")
    }
    with (root / "ratings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", names["column"]])
        writer.writerows([f"u{i % 9}", f"i{i % 7}", data.draw(storable)[:200]] for i in range(50))
    quoted = {name: toml(text) for name, text in names.items()}
    (root / "definitions").mkdir()
    text = DEFINITIONS.format(**quoted, wrong=toml(f" {data.draw(storable)}"))
    (root / "definitions" / "all.toml").write_text(text)


def toml(text):
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@settings(QUIET, max_examples=2)
@given(data=st.data(), size=SIZES, plain=st.booleans())
def test_no_definition_is_interpreted(data, size, plain):
    async def choose(shop):
        async with OpenedApp(shop, size=size, ascii=plain) as app:
            await visit(app, "n", until=lambda: isinstance(app.app.screen, WizardScreen))
            await app.until(lambda: MARK in app.text)
            for _ in range(2):
                await visit(app, "down")
            await visit(app, "home", "tab", "down")
            await visit(app, "tab")
            await paste(app, data.draw(storable))
            await visit(app, "ctrl+n")
            await visit(app, "escape")

    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        try:
            define(shop.root, data)
            asyncio.run(choose(shop))
        finally:
            shop.close()


@settings(QUIET, max_examples=150)
@given(data=st.data(), width=st.integers(20, 200), status=st.sampled_from(STATUSES))
def test_no_card_is_interpreted(run, data, width, status):
    run.completes()
    [card] = run.shop.engine.cards().items
    texts = {name: data.draw(anything) for name in (*TEXTS, "stage", "error_message")}
    card = replace(card, status=status, tags=(data.draw(anything),) * 2, **texts)
    for line in card_lines(card, Frame(width, selected=True, now=START), Look()):
        assert not unsafe(line.plain)
        assert all("@" not in str(span.style) for span in line.spans)


@settings(QUIET, max_examples=150)
@given(text=anything, width=st.integers(1, 200))
def test_no_log_line_is_interpreted(text, width):
    lines = [LogLine(component="Train", timestamp=START, severity="INFO", message=text)]
    [entry] = log_entries(lines)
    for line in (entry.head, *entry.body, entry.clock):
        assert not unsafe(line)


def test_a_message_of_50_mb_is_cut_at_once():
    for huge in ("x\x1b[31m" * 8_000_000, "\n" * 50_000_000, "漢" * 17_000_000):
        line = LogLine(component="Train", timestamp=START, severity="INFO", message=huge)
        with bounded(megabytes=5):
            [entry] = log_entries([line] * 1)
        assert len(entry.text) < 20_000


@in_loop
async def test_a_log_with_a_line_of_50_mb_is_read_around_it(run):
    with log_of(run, "Train").open("w") as file:
        file.write('{"message": "')
        for _ in range(50):
            file.write("x\\u001b[2J" * 100_000)
        file.write('", "timestamp": "2026-01-01T00:00:00Z", "severity": "INFO"}\n')
    run.logs("Train", "after")
    async with Opened(PipelineTab, Link(run.root), run.number) as tab:
        with bounded(megabytes=40):
            await tab.show(run.trains(1))
        assert "after" in tab.text


@pytest.mark.parametrize("piece", ["漢", "\x1b[2J", "👩\u200d👧", "\n"])
@in_loop
async def test_the_longest_line_opens(run, piece):
    run.logs("Train", *[f"x{piece * 20_000}x"] * 50)
    async with Opened(PipelineTab, Link(run.root), run.number) as tab:
        await tab.show(run.trains(1))
        await tab.press("enter")
        await tab.press("pagedown")
        check(tab.app)
