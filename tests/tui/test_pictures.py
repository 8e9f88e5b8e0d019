"""A picture of every screen in every state, from databases that real runs wrote.

`--update-pictures` keeps what is seen; `--picture-svgs=FOLDER` writes each as SVG besides. A
changed picture is looked at before it is kept.
"""

import asyncio
import os
import shutil
import socket
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine

from engine.demo import prepare_workspace
from tests.tui import recorded
from tests.tui.harness import in_loop
from tests.tui.layout_flaws import flaws
from tests.tui.pictures import Golden
from tests.tui.record import COMPARED
from tests.tui.shown import Shown, on_workspace
from tui.options import AppOptions
from tui.screens.compare import CompareScreen
from tui.welcome import WelcomeApp

SIZES = [(80, 24), (120, 40)]
WORKSPACE = Path("grocery")
"""Relative, so that a path on screen is the same wherever the tests run."""
COMPLETED, DEMO, LONG_NAME, CANCELLED = 2, 1, 9, 8
FAILED_IN_EXAMPLES, FAILED_IN_TRAIN = 6, 7
RUNNING, QUEUED = 11, 12
"""Numbers that `record.py` gives."""

pytestmark = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.fixture(autouse=True)
def still(tmp_path, monkeypatch):
    """The recording's moment, on a machine that is the same everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "gethostname", lambda: "ml-dev-3")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    asked = os.sysconf
    memory = {"SC_PAGE_SIZE": 4_096, "SC_PHYS_PAGES": 32_000_000_000 // 4_096}
    monkeypatch.setattr(os, "sysconf", lambda name: memory.get(name) or asked(name))
    with time_machine.travel(recorded.moment().astimezone(ZoneInfo("UTC")), tick=False):
        yield


@pytest.fixture
def take(pytestconfig, size):
    svgs = pytestconfig.getoption("picture_svgs")
    golden = Golden(
        Path(__file__).with_name("pictures"),
        update=pytestconfig.getoption("update_pictures"),
        svgs=Path(svgs) if svgs else None,
    )

    def taken(name, shown):
        __tracebackhide__ = True
        problem = golden.difference(f"{name}-{size[0]}x{size[1]}", shown.app)
        problem += "".join(f"\n{flaw}" for flaw in flaws(shown.app))
        if problem:
            pytest.fail(problem, pytrace=False)

    return taken


async def unanswered(call):
    """Stand for an engine that takes its time."""
    del call
    await asyncio.Event().wait()


@in_loop
async def test_list(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size) as shown:
        await shown.shows("1 running")
        take("list-full", shown)
        await shown.press("G")
        take("list-last", shown)
        await shown.press("slash", *"towers", shows=" of 12")
        take("list-search", shown)
        await shown.press(*" zebra", shows="No experiment matches.")
        take("list-nothing-matches", shown)


@in_loop
async def test_list_filtered(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size) as shown:
        await shown.shows("1 running")
        await shown.press("slash", "tab", "enter", shows="cancelled")
        take("dialog-choose", shown)
        await shown.press(*["j"] * 4, "enter", shows=" of 12")
        take("list-filtered", shown)


@in_loop
async def test_list_without_experiments(size, take):
    async with on_workspace(recorded.empty(WORKSPACE), size) as shown:
        await shown.shows("No experiments yet.")
        take("list-empty", shown)


@in_loop
async def test_list_that_waits_for_the_engine(size, take):
    shown = on_workspace(WORKSPACE, size)
    shown.app.link.ask = unanswered
    async with shown:
        await shown.shows("Reading the experiments", busy=True)
        take("list-loading", shown)


@in_loop
async def test_list_of_a_damaged_database(size, take):
    async with on_workspace(recorded.damaged(WORKSPACE), size) as shown:
        await shown.shows("towerlab.db")
        take("list-error", shown)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("running", RUNNING),
        ("queued", QUEUED),
        ("completed", COMPLETED),
        ("failed", FAILED_IN_EXAMPLES),
        ("killed", FAILED_IN_TRAIN),
        ("cancelled", CANCELLED),
    ],
)
@in_loop
async def test_experiment(size, take, name, number):
    async with on_workspace(recorded.restore(WORKSPACE), size, number=number) as shown:
        await shown.shows("Overview")
        await shown.press("left_square_bracket")
        for tab in ("overview", "pipeline", "data", "training"):
            take(f"{name}-{tab}", shown)
            await shown.press("right_square_bracket")


@in_loop
async def test_training_of_a_completed_run(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size, number=COMPLETED) as shown:
        await shown.shows("Overview")
        await shown.press("left_square_bracket", shows="Training")
        await shown.press("left_square_bracket", shows="Result")
        pages = ["loss", "recall", "gradients", "norms", "histograms", "vocabularies"]
        for page in pages if size[1] == 24 else ["weights"]:
            await shown.press("c")
            take(f"training-{page}", shown)
        await shown.press(*["C"] * (size[1] == 24), "t", "t", "l", "left", shows="candidate tower")
        take("training-layer", shown)


@in_loop
async def test_data_with_statistics(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size, number=COMPLETED) as shown:
        await shown.shows("Overview")
        await shown.press("right_square_bracket", shows="columns")
        take("statistics-first", shown)
        await shown.press("G")
        take("statistics-last", shown)


@in_loop
async def test_comparison(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size) as shown:
        await shown.shows("1 running")
        shown.app.push_screen(CompareScreen(shown.app.link, shown.app.look, COMPARED))
        await shown.shows("Recall@100")
        take("compare-two", shown)
        if size[1] == 24:
            for page in ("verdicts", "loss", "table"):
                await shown.press("right_square_bracket")
                take(f"compare-{page}", shown)
        await shown.press("D", shows="differences only")
        take("compare-differences", shown)
        await shown.press("e", shows="Markdown")
        take("compare-export", shown)


@in_loop
async def test_experiment_that_used_no_cache(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size, number=DEMO) as shown:
        await shown.shows("Overview")
        take("uncached-pipeline", shown)


@in_loop
async def test_experiment_with_a_long_name(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size, number=LONG_NAME) as shown:
        await shown.shows("Overview")
        await shown.press("left_square_bracket")
        take("long-name-overview", shown)


@in_loop
async def test_experiment_loading(size, take):
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size) as shown:
        await shown.shows("1 running")
        shown.app.link.ask = unanswered
        shown.app.open_experiment(COMPLETED)
        await shown.shows("Reading #2", busy=True)
        take("experiment-loading", shown)


@in_loop
async def test_experiment_that_is_gone(size, take):
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size, number=99) as shown:
        await shown.shows("#99.")
        take("experiment-gone", shown)


@in_loop
async def test_dialogs(size, take):
    async with on_workspace(recorded.restore(WORKSPACE), size) as shown:
        await shown.shows("1 running")
        await shown.press("j", "x", shows="Cancel #")
        take("dialog-cancel", shown)
        await shown.press("escape", hides="Cancel #")
        await shown.press("j", "j", "d", shows="Delete #")
        take("dialog-delete", shown)
        await shown.press("escape", hides="Delete #")
        await shown.press("r", shows="Rerun #")
        await shown.press(*"epochs", "enter", shows="is no change")
        take("dialog-rerun", shown)


@in_loop
async def test_help_and_palette(size, take):
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size, number=COMPLETED) as shown:
        await shown.shows("Overview")
        await shown.press("question_mark", shows="Next experiment or line")
        take("help-experiment", shown)
        await shown.press("escape", "escape", shows="1 running")
        await shown.press("question_mark", shows="Next experiment or line")
        take("help-list", shown)
        await shown.press("escape", "colon", shows="Copy the command")
        take("palette", shown)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's workspace before its first run."""
    root = tmp_path_factory.mktemp("demo") / "grocery"
    prepare_workspace(root, lambda _: None)
    return root


@pytest.fixture
def with_demo_data(demo):
    shutil.copytree(demo, WORKSPACE)
    return recorded.restore(WORKSPACE)


@in_loop
async def test_wizard(size, take, with_demo_data):
    async with on_workspace(with_demo_data, size) as shown:
        await shown.shows("1 running")
        await shown.press("n", shows="Product tower")
        await shown.shows("train rows")
        if size[1] > 24:
            await shown.shows("All weights")
        take("wizard-what", shown)
        await shown.press("ctrl+n", shows="Learning rate")
        take("wizard-how", shown)
        await shown.press(*"400", shows="1 to 100")
        take("wizard-bad-number", shown)
        await shown.press(*["tab"] * 6, "right", shows="Patience")
        take("wizard-early-stopping", shown)


@in_loop
async def test_wizard_that_waits_for_the_engine(size, take, with_demo_data):
    async with on_workspace(with_demo_data, size) as shown:
        await shown.shows("1 running")
        shown.app.link.ask = unanswered
        await shown.press("n", busy=True, shows="New experiment")
        take("wizard-loading", shown)


@in_loop
async def test_wizard_with_a_wrong_definition(size, take, with_demo_data):
    (with_demo_data / "definitions" / "features.toml").write_text("[features.basic]\ndataset = 3\n")
    async with on_workspace(with_demo_data, size) as shown:
        await shown.shows("1 running")
        await shown.press("n", shows="features.toml")
        take("wizard-wrong-definition", shown)


@in_loop
async def test_notifications(size, take):
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size, readonly=True) as shown:
        await shown.shows("1 running")
        await shown.press("n", shows="--readonly")
        take("toast-readonly", shown)


@in_loop
async def test_notification_of_an_end(size, take):
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size) as shown:
        await shown.shows("1 running")
        recorded.complete(root, RUNNING)
        await shown.shows("#11 Regularized towers, ten epochs completed", hides="1 running")
        take("toast-completed", shown)


@in_loop
async def test_welcome(size, take):
    options = AppOptions(root=Path("/home/ana/shop"))
    async with Shown(WelcomeApp(options), size) as shown:
        await shown.shows("no workspace")
        take("welcome", shown)
        await shown.press("s", *"a.csv", "enter", shows="There is no a.csv")
        take("welcome-no-such-file", shown)


@pytest.mark.parametrize("variant", ["light", "16", "ascii", "no-colour"])
@in_loop
async def test_other_terminals(size, take, variant, monkeypatch):
    options = {"16": {"color": "16"}, "ascii": {"ascii": True}}.get(variant, {})
    if variant == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    root = recorded.restore(WORKSPACE)
    async with on_workspace(root, size, **options) as shown:
        await shown.shows("1 running")
        if variant == "light":
            await shown.press("T")
        take(f"list-{variant}", shown)
        await shown.press("x", shows="Cancel #")
        take(f"dialog-{variant}", shown)
        await shown.press("escape", hides="Cancel #")
        shown.app.open_experiment(COMPLETED, tab=3)
        await shown.shows("Recall@100")
        take(f"training-{variant}", shown)
