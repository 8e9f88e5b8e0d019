"""The list of experiments: filters, paging, and what can be done to one."""

import pytest
from textual.widgets import OptionList

from engine.errors import NotFound
from engine.store import experiments
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import failure, training
from tests.tui.harness import EPOCHS, OpenedApp, in_loop
from tui.screens.confirm import Choose, Confirm, Rerun
from tui.screens.experiment import ExperimentScreen
from tui.screens.experiments import ExperimentsScreen
from tui.widgets.card_list import CardList
from tui.widgets.filter_bar import Chip, SearchInput

AT_WORK = training(1, EPOCHS, step=0, steps=EPOCHS)


@pytest.fixture
def three(shop):
    """Return a shop with three experiments that differ in all that can be filtered by."""
    done = shop.start(name="Done", feature_config="taste", model_config_name="deep")
    done.completes()
    at_work = shop.start(name="At work", tags=("towers",))
    at_work.is_at(AT_WORK)
    shop.create(name="Waiting", description="the widest so far")
    with shop.database.write() as session:
        experiments.amend(session, done.number, dataset="movies")
    return shop


def cards(app):
    return app.app.screen.query_one(CardList)


def names(app):
    """Return the names of the cards that are on screen."""
    known = ("Done", "At work", "Waiting", "Nobody")
    text = "\n".join(app.lines[2:])
    return [name for name in sorted(known, key=text.find) if name in text]


async def choose(app, chip, value):
    """Set a filter by its chip, as with the keyboard."""
    app.app.set_focus(next(c for c in app.app.screen.query(Chip) if c.field == chip))
    await app.press("enter")
    await app.until(lambda: isinstance(app.app.screen, Choose))
    options = app.app.screen.query_one(OptionList)
    shown = [str(option.prompt) for option in options.options]
    await app.press(*["down"] * shown.index(value), "enter")
    await app.settle()


@pytest.mark.parametrize(
    ("chip", "value", "left"),
    [
        ("status", "submitting", ["Waiting"]),
        ("status", "running", ["At work"]),
        ("model_type", "retrieval", ["Waiting", "At work", "Done"]),
        ("model_type", "ranking", []),
        ("dataset", "movies", ["Done"]),
        ("feature_config", "basic", ["Waiting", "At work"]),
        ("model_config", "deep", ["Done"]),
    ],
)
@in_loop
async def test_a_chip_filters_and_backspace_takes_it_back(three, chip, value, left):
    async with OpenedApp(three) as app:
        assert names(app) == ["Waiting", "At work", "Done"]
        await choose(app, chip, value)
        await app.until(lambda: names(app) == left)
        assert f"{len(left)} of 3" in app.text
        app.app.set_focus(next(c for c in app.app.screen.query(Chip) if c.field == chip))
        await app.press("backspace")
        await app.until(lambda: names(app) == ["Waiting", "At work", "Done"])


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("work", ["At work"]),
        ("WIDEST so", ["Waiting"]),
        ("towers", ["At work"]),
        ("#1", ["Done"]),
        ("", ["Waiting", "At work", "Done"]),
    ],
)
@in_loop
async def test_a_search_finds_words_and_numbers(three, words, left):
    async with OpenedApp(three) as app:
        await app.type(f"/{words}\n")
        await app.until(lambda: names(app) == left)
        await app.until(lambda: app.app.focused is cards(app))


@in_loop
async def test_a_search_typed_at_once_triggers_no_command(three):
    async with OpenedApp(three) as app:
        await app.type("/nxdrqT/?:")
        await app.settle()
        assert app.app.screen.query_one(SearchInput).value == "nxdrqT/?:"
        assert len(app.app.screen_stack) == 1
        assert app.app.theme == "towerlab-dark"


@in_loop
async def test_filters_and_search_join_and_escape_clears_them_all(three):
    async with OpenedApp(three) as app:
        await choose(app, "feature_config", "basic")
        await app.type("/wait\n")
        await app.until(lambda: names(app) == ["Waiting"])
        await app.until(lambda: app.app.focused is cards(app))
        await app.press("escape")
        await app.until(lambda: names(app) == ["Waiting", "At work", "Done"])
        assert app.app.screen.query_one(SearchInput).value == ""


@in_loop
async def test_when_nothing_matches_it_says_how_to_see_all(three):
    async with OpenedApp(three) as app:
        await app.type("/[bold]nobody[/]\n")
        await app.shows("No experiment matches.", "Esc shows all 3.", "[bold]nobody[/]")
        await app.press("escape")
        await app.until(lambda: names(app) == ["Waiting", "At work", "Done"])


@in_loop
async def test_a_narrow_terminal_folds_the_chips_and_tells_what_is_set(three):
    async with OpenedApp(three, size=(80, 24)) as app:
        assert "Status" not in app.text
        await app.press("slash")
        assert "Status All" in app.text
        await choose(app, "status", "running")
        await app.press("escape")
        await app.shows("running  1 of 3")
        assert "Status" not in app.text
        assert names(app) == ["At work"]


@in_loop
async def test_a_thousand_cards_are_read_page_by_page(shop):
    shop.copy(shop.create(name="Number 1").number, 999)
    asked = []
    original = shop.engine.cards
    shop.engine.cards = lambda **how: (asked.append(how), original(**how))[1]
    async with OpenedApp(shop) as app:
        await app.shows("Number 1000", "1,000")
        await app.press("G")
        await app.shows("Number 1 ", "#1 ")
        assert cards(app).selected.number == 1
        await app.press("pageup", "pageup")
        assert cards(app).selected.number == 1 + 2 * cards(app)._a_page
        await app.press("g")
        assert cards(app).selected.number == 1000
        cards(app).jump(500)
        await app.shows("Number 500 ")
        assert all(how["limit"] <= 100 for how in asked)
        assert len(cards(app)._cards) < 400


@in_loop
async def test_the_cursor_stays_on_its_experiment_when_a_new_one_appears_above(three):
    async with OpenedApp(three) as app:
        await app.press("j")
        assert cards(app).selected.name == "At work"
        three.create(name="Nobody")
        await app.shows("Nobody")
        assert cards(app).selected.name == "At work"
        assert names(app)[0] == "Nobody"


@in_loop
async def test_a_card_follows_its_run(three):
    async with OpenedApp(three) as app:
        await app.shows("At work", "about")
        run = next(card for card in three.engine.cards().items if card.name == "At work")
        uid = three.engine.get(run.number).uid
        three.backend.put(uid, AT_WORK.replace(phase="failed", error=failure("No [b]memory[/].")))
        three.service.poll_experiment_status(run.number)
        await app.shows("failed", "No [b]memory[/]. Use a smaller batch.")


@in_loop
async def test_enter_opens_and_escape_returns_to_the_same_card(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "enter")
        await app.until(lambda: isinstance(app.app.screen, ExperimentScreen))
        await app.shows("#1  Done", "Overview")
        await app.press("escape")
        await app.until(lambda: not isinstance(app.app.screen, ExperimentScreen))
        assert cards(app).selected.name == "Done"


@in_loop
async def test_what_changed_behind_an_experiment_is_there_when_the_list_reappears(three):
    async with OpenedApp(three, number=1) as app:
        await app.shows("#1  Done", "Overview")
        three.create(name="Nobody")
        await app.press("escape")
        await app.shows("Nobody", "1 running", "2 waiting")


@in_loop
async def test_deleting_asks_and_then_asks_the_worker(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "d")
        await app.until(lambda: isinstance(app.app.screen, Confirm))
        await app.shows("Delete #1 Done?", "removed for good")
        await app.press("n")
        assert three.engine.get(1).intent is None
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, Confirm))
        await app.press("y")
        await app.until(lambda: three.engine.get(1).intent == "deleting")
        await app.shows("deleting")
        three.service.poll_experiment_status(1)
        with pytest.raises(NotFound):
            three.engine.get(1)
        await app.until(lambda: names(app) == ["Waiting", "At work"])


@in_loop
async def test_an_open_experiment_that_is_deleted_has_no_status_any_more(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "enter", "d")
        await app.until(lambda: isinstance(app.app.screen, Confirm))
        await app.press("y")
        await app.shows("deleting")
        three.service.poll_experiment_status(1)
        await app.shows("#1 was deleted.", "Esc goes back.")
        assert "deleting" not in app.text


@in_loop
async def test_deleting_what_runs_says_that_it_is_cancelled_first(three):
    async with OpenedApp(three) as app:
        await app.press("j", "d")
        await app.shows("It is still running and is cancelled first.")


@in_loop
async def test_cancelling_asks_and_then_asks_the_worker(three):
    async with OpenedApp(three) as app:
        await app.press("j", "x")
        await app.shows("Cancel #2 At work?")
        await app.press("escape")
        assert three.engine.get(2).intent is None
        await app.press("x")
        await app.until(lambda: isinstance(app.app.screen, Confirm))
        await app.press("y")
        await app.until(lambda: three.engine.get(2).intent == "cancelling")
        await app.shows("cancelling")


@in_loop
async def test_only_what_can_be_cancelled_offers_it(three):
    async with OpenedApp(three) as app:
        for key, offered in (("g", True), ("j", True), ("j", False), ("k", True)):
            await app.press(key)
            assert ("x cancel" in app.lines[-1]) == offered
        await app.press("G", "x")
        assert isinstance(app.app.screen, ExperimentsScreen)
        await app.press("enter")
        await app.shows("Overview")
        assert "x cancel" not in app.lines[-1]


@in_loop
async def test_a_rerun_takes_changes_and_opens_the_new_experiment(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "r")
        await app.until(lambda: isinstance(app.app.screen, Rerun))
        await app.shows("Rerun #1 Done", "epochs=5")
        await app.type("faster\n")
        await app.shows("is no change: write key=value.")
        await app.press(*["backspace"] * len("faster"))
        await app.type("epochs=7\n")
        await app.until(lambda: isinstance(app.app.screen, ExperimentScreen))
        await app.shows("#4  Done")
        made = three.engine.get(4)
        assert (made.parent, made.params.epochs) == (1, 7)


@in_loop
async def test_a_rerun_that_is_refused_says_why(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "r")
        await app.until(lambda: isinstance(app.app.screen, Rerun))
        await app.type("[b]x[/]=1\n")
        await app.shows("[b]x[/]")
        assert three.engine.cards().total == 3
        await app.type(" dx")
        assert isinstance(app.app.screen, Rerun), "what was typed can be mended"
        await app.shows("[b]x[/]=1 dx")


@in_loop
async def test_a_rerun_of_what_runs_is_answered_with_a_sentence(three):
    async with OpenedApp(three) as app:
        await app.press("j", "r")
        await app.shows("#2 has not ended yet; cancel it first, or wait.")


@in_loop
async def test_promoting_where_there_is_no_cloud_is_told_and_stores_nothing(three):
    async with OpenedApp(three) as app:
        await app.press("j", "j", "P")
        await app.shows("There is no backend 'vertex'")
        assert three.engine.cards().total == 3


@pytest.mark.parametrize("key", ["n", "r", "P", "x", "d"])
@in_loop
async def test_readonly_forbids_what_changes_something(three, key):
    async with OpenedApp(three, readonly=True) as app:
        await app.shows("read-only")
        await app.press(key)
        await app.shows("This app was started with --readonly: nothing can be")
        assert len(app.app.screen_stack) == 1
        assert {card.intent for card in three.engine.cards().items} == {None}


@in_loop
async def test_copying_gives_the_command_that_shows_it(three):
    async with OpenedApp(three) as app:
        await app.press("y")
        assert app.app.clipboard == f"towerlab show 3 --workspace {three.root}"


@in_loop
async def test_an_empty_workspace_says_what_can_be_done(shop):
    async with OpenedApp(shop) as app:
        await app.shows("No experiments yet.", "n  start a first experiment")
        shop.engine.create(REQUEST.replace(name="The first"))
        await app.shows("#1", "The first")
    async with OpenedApp(shop, readonly=True) as app:
        assert "start a first experiment" not in app.text


@in_loop
async def test_a_broken_database_is_told_and_its_recovery_seen(three):
    async with OpenedApp(three) as app:
        await app.shows("Waiting")
        with three.database.write() as session:
            session.connection().exec_driver_sql("ALTER TABLE experiments RENAME TO moved")
        await app.shows("The database")
        with three.database.write() as session:
            session.connection().exec_driver_sql("ALTER TABLE moved RENAME TO experiments")
        await app.until(lambda: "The database" not in app.lines[0])
        assert names(app) == ["Waiting", "At work", "Done"]
