"""The app as a whole: news from elsewhere, help, palette, themes, `--readonly`, crashes."""

from textual.command import CommandPalette

from engine.glance import glance
from tests.engine.scripted_backend import failure
from tests.tui.harness import OpenedApp, in_loop
from tui.actions import ACTIONS
from tui.app import TowerlabApp
from tui.options import AppOptions
from tui.screens.experiment import ExperimentScreen
from tui.screens.experiments import ExperimentsScreen
from tui.screens.help import HelpScreen
from tui.screens.wizard import WizardScreen

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]"


@in_loop
async def test_what_others_change_appears(shop):
    async with OpenedApp(shop) as app:
        await app.shows("No experiments yet")
        run = shop.start(name="From elsewhere")
        await app.shows("From elsewhere")
        run.trains(2)
        await app.shows("Train, epoch 3 of 5")
        run.completes()
        await app.shows("R@100")


@in_loop
async def test_two_apps_see_the_same(shop):
    async with OpenedApp(shop, worker=True) as one, OpenedApp(shop, worker=True) as other:
        shop.create(name="Waiting")
        await one.shows("Waiting")
        await other.shows("Waiting")
        await one.press("x")
        await one.shows("Cancel")
        await one.press("y")
        await other.shows("No result: it was cancelled.")  # by the worker that the first started


@in_loop
async def test_the_end_of_a_run_is_told(shop):
    run = shop.start(name=f"Good {HOSTILE}")
    bad = shop.start(name="Bad")
    async with OpenedApp(shop) as app:
        await app.until(lambda: len(app.app._active) == 2)
        run.completes(recall=0.25)
        await app.shows("completed:")
        await app.shows("Recall@100 0.250")
        bad.ends("failed", epochs=1, error=failure("The loss is NaN."))
        await app.shows("#2 Bad failed: The loss is NaN.")
        assert "\x1b" not in app.text


@in_loop
async def test_help_lists_the_keys_of_where_one_is(shop, run):
    run.completes()
    async with OpenedApp(shop) as app:
        await app.press("question_mark")
        assert isinstance(app.app.screen, HelpScreen)
        assert "Delete the experiment" in app.text
        assert "Cancel the run" not in app.text
        assert "Logarithmic" not in app.text
        await app.press("escape")
        await app.press("enter")
        await app.shows("Overview")
        await app.press(*["right_square_bracket"] * 3)
        await app.shows("Gradient norm")
        await app.press("question_mark")
        await app.shows("Logarithmic")
        await app.press("q")
        assert isinstance(app.app.screen, ExperimentScreen)


@in_loop
async def test_the_palette_offers_what_counts_here_and_does_it(shop, run):
    run.completes()
    async with OpenedApp(shop) as app:
        await app.press("colon")
        assert isinstance(app.app.screen, CommandPalette)
        await app.shows(ACTIONS["rerun"].help)
        assert ACTIONS["log_scale"].help not in app.text
        await app.press(*"light")
        await app.shows(ACTIONS["theme"].help)
        before = app.app.theme
        await app.press("enter")
        await app.until(lambda: app.app.theme != before)


@in_loop
async def test_readonly_changes_nothing_and_says_why(shop, run):
    run.completes()
    async with OpenedApp(shop, readonly=True) as app:
        for key in ("n", "r", "x", "d"):
            await app.press(key)
            assert isinstance(app.app.screen, ExperimentsScreen)
        await app.shows("--readonly")
        await app.press("colon")
        await app.shows(ACTIONS["theme"].help)
        assert ACTIONS["delete"].help not in app.text
    assert [card.number for card in shop.engine.cards().items] == [run.number]


@in_loop
async def test_q_is_a_letter_in_fields_and_ctrl_q_leaves_from_anywhere(shop, run):
    run.completes()
    async with OpenedApp(shop) as app:
        await app.press("slash", "q")
        await app.shows("No experiment matches")
        await app.press("escape", "escape")
        await app.shows("Run")
        await app.press("n")
        await app.until(lambda: isinstance(app.app.screen, WizardScreen))
        await app.press("ctrl+q")
        await app.until(lambda: app.app._exit)


@in_loop
async def test_an_unexpected_error_leaves_a_private_report(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = TowerlabApp(AppOptions(root=shop.root), "shop", glance(shop.root, limit=50))

    def broken():
        secret = "hunter2"
        raise RuntimeError(f"boom token={secret}")

    try:
        async with app.run_test() as pilot:
            app.call_later(broken)
            await pilot.pause(0.5)
    except RuntimeError:
        pass  # the Pilot raises it again
    (report,) = (tmp_path / "state" / "towerlab").iterdir()
    text = report.read_text()
    assert "RuntimeError: boom token=***" in text
    assert "hunter2" not in text.replace('secret = "hunter2"', "")
    assert report.stat().st_mode & 0o077 == 0
    assert app.return_code == 1
