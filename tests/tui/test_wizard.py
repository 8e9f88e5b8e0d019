"""The New experiment wizard in the app: keys, fields, what is stored, what is shown."""

import asyncio
import re

import pytest

from engine.api import Engine
from engine.planning import QuickTestRequest
from engine.spec import EarlyStopping
from tests.sample_data import write_groceries
from tests.tui.harness import in_loop
from tests.tui.layout_flaws import flaws
from tests.tui.wizard_app import (
    BROKEN,
    DEFINITIONS,
    GROCERIES,
    HUGE,
    SMALL,
    WIDE,
    Wizard,
    define,
    engine_on,
    workspace_in,
)
from tui.screens.confirm import Confirm
from tui.screens.experiment import ExperimentScreen
from tui.screens.help import HelpScreen
from tui.screens.wizard import WizardScreen
from tui.screens.wizard.draft import LABELS
from tui.screens.wizard.hints import HINTS


@pytest.fixture
def root(tmp_path):
    return workspace_in(tmp_path)


@in_loop
async def test_an_experiment_is_made_by_keyboard_alone(root):
    async with Wizard(root, size=SMALL) as wizard:
        await wizard.app.pop_screen()
        await wizard.press("n")
        await wizard.until(lambda: isinstance(wizard.app.screen, WizardScreen))
        await wizard.press("enter", "enter", "ctrl+s")
        await wizard.until(lambda: isinstance(wizard.app.screen, ExperimentScreen))
        made = wizard.engine.get(1)
    assert (made.dataset, made.feature_config, made.model_config_name) == (
        "ratings",
        "basic",
        "standard",
    )
    assert (made.name, made.params.epochs, made.params.sample_percent) == (
        "basic · standard",
        3,
        100,
    )


@in_loop
async def test_tab_and_enter_go_through_every_field(root):
    hidden = {"holdout_days", "train_days", "val_days", "test_days", "patience", "upload_rows"}
    fields = [name for name in LABELS if name not in hidden]
    async with Wizard(root) as wizard:
        for name in fields:
            assert wizard.focus == name
            await wizard.press("enter")
        assert wizard.focus == "hardware"
        for name in reversed(fields[5:]):
            assert wizard.focus == name
            await wizard.press("shift+tab")
        wizard.go("sample_percent")
        for name in fields[5:]:
            assert wizard.focus == name
            await wizard.press("tab")


@in_loop
async def test_every_field_changes_what_is_stored(root):
    async with Wizard(root) as wizard:
        await wizard.press("down", "enter", "down", "enter")
        await wizard.press(*"Wider", "enter", *"[b]why[/]", "enter")
        await wizard.press(*"tower, warm,,tower ", "enter")
        await wizard.press(*"90", "tab", "right", "right", "tab", "right", "tab", *"28", "tab")
        await wizard.press("1", "2", "tab", *"128", "tab", *"0.005", "tab")
        await wizard.press("right", "right", "tab", "4", "tab", "7", "tab", "right", "tab", "tab")
        await wizard.press("right", "right")
        made = await wizard.start()
    assert (made.feature_config, made.model_config_name) == ("titled", "wide")
    assert made.name == "Wider"
    assert made.description == "[b]why[/]"
    assert made.tags == ("tower", "warm")
    params = made.params
    assert (params.sample_percent, params.epochs, params.batch_size) == (90, 12, 128)
    assert (params.learning_rate, params.seed, params.hardware) == (0.005, 7, "medium")
    assert (params.split.kind, params.split.holdout_days) == ("time-holdout", 28)
    assert made.backend == "local"
    assert (params.sample_by, params.deterministic) == ("row", True)
    assert params.early_stopping == EarlyStopping(patience=4, monitor="primary")


@in_loop
async def test_keys_that_come_all_at_once_reach_their_fields(root):
    async with Wizard(root) as wizard:
        await wizard.burst("down", "enter", "enter", *"Quickly", "backspace", "left", "S", "ctrl+n")
        await wizard.burst(
            "down", "tab", "tab", "right", "right", "tab", *"100", "tab", *"200", "ctrl+u"
        )
        await wizard.burst(*"30", "tab", *"15", "tab", "up", "up", "enter", "8", "enter", "ctrl+s")
        await wizard.until(lambda: wizard.results)
        made = wizard.engine.get(wizard.results[0])
    assert (made.name, made.feature_config) == ("QuickSl", "titled")
    params = made.params
    assert (params.sample_percent, params.epochs, params.batch_size) == (50, 10, 8)
    split = params.split
    assert (split.train_days, split.val_days, split.test_days) == (100, 30, 15)


@in_loop
async def test_strict_time_asks_for_its_days_and_nothing_for_other_splits(root):
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", "tab", "tab", "right", "tab", *"30")
        await wizard.press("shift+tab", "right", "tab")
        assert wizard.focus == "train_days"
        await wizard.press(*"100", "tab", *"20", "tab", *"10")
        made = await wizard.start()
    split = made.params.split
    assert (split.kind, split.train_days, split.val_days, split.test_days) == (
        "strict-time",
        100,
        20,
        10,
    )
    assert split.holdout_days is None


@in_loop
async def test_early_stopping_is_off_or_has_a_patience(root):
    async with Wizard(root) as wizard:
        wizard.go("early_stopping")
        await wizard.press("right", "tab")
        assert wizard.focus == "patience"
        assert "default: 2" in wizard.text
        await wizard.settle()
        assert re.search(r"stop early +validation loss", wizard.text)
        assert "patience 2" in wizard.text
        await wizard.press("up")
        assert wizard.value("patience") == "3"
        await wizard.press("shift+tab", "left")
        made = await wizard.start()
    assert made.params.early_stopping is None


@in_loop
async def test_what_is_typed_right_after_n_reaches_the_wizard(root):
    async with Wizard(root) as wizard:
        await wizard.app.pop_screen()
        await wizard.burst("n", "down", "enter", "enter", *"Djnq", "ctrl+s")
        await wizard.until(lambda: isinstance(wizard.app.screen, ExperimentScreen))
        made = wizard.engine.get(1)
    assert (made.name, made.feature_config) == ("Djnq", "titled")


@in_loop
async def test_a_type_without_definitions_says_what_is_missing(root):
    async with Wizard(root, size=SMALL) as wizard:
        wizard.go("model_type")
        await wizard.press("right")
        await wizard.settle()
        assert "Ranking needs a target; none has one." in wizard.text
        assert 'target = "COLUMN"' in wizard.text
        assert "No model config is of type ranking." in wizard.text


@in_loop
async def test_numbers_may_be_written_as_people_do(root):
    async with Wizard(root) as wizard:
        for field, typed, stored in (
            ("batch_size", "1,024", 1024),
            ("learning_rate", "1e-3", 0.001),
            ("learning_rate", ".5", 0.5),
            ("sample_percent", " 62.5 ", 62.5),
        ):
            await wizard.write(field, typed)
            assert getattr(wizard.screen._checked.request, field) == stored


@in_loop
async def test_arrows_go_through_usual_values_from_the_one_that_holds(root):
    async with Wizard(root) as wizard:
        wizard.go("sample_percent")
        await wizard.press("down")
        assert wizard.value("sample_percent") == "50"
        await wizard.press("up", "up")
        assert wizard.value("sample_percent") == "100"
        wizard.go("epochs")
        await wizard.press("up")
        assert wizard.value("epochs") == "5"
        wizard.go("learning_rate")
        await wizard.write("learning_rate", "0.02")
        await wizard.press("down")
        assert wizard.value("learning_rate") == "0.01"
        wizard.go("seed")
        await wizard.press("down", "up")
        assert wizard.value("seed") == "1"


@in_loop
async def test_empty_fields_say_what_model_and_data_make_of_them(root):
    async with Wizard(root) as wizard:
        plan = wizard.engine.plan(
            QuickTestRequest(feature_config="basic", model_config_name="standard")
        )
        await wizard.press("ctrl+n")
        text = wizard.text
        assert "from the data: 100" in text
        assert f"from the data: {plan.params.batch_size:,}" in text
        assert f"from the model: {plan.params.learning_rate:g}" in text
        assert "default: 3" in text
        assert "default: 0" in text
        await wizard.press("escape", "enter", "up")
        await wizard.settle()
        await wizard.press("ctrl+n")
        assert "from the model: 0.02" in wizard.text
        await wizard.press("escape", "enter", "down", "down")
        await wizard.settle()
        await wizard.press("ctrl+n")
        assert "from the model: 64" in wizard.text


@in_loop
async def test_the_plan_is_shown_as_the_engine_makes_it(root):
    request = QuickTestRequest(
        feature_config="basic", model_config_name="standard", sample_percent=50, epochs=4
    )
    async with Wizard(root) as wizard:
        plan = wizard.engine.plan(request)
        await wizard.press("ctrl+n", *"50", "tab", "tab", "tab", "4")
        await wizard.settle()
        for name in ("train", "eval", "test"):
            assert re.search(rf"{name} +{getattr(plan.rows, name):,} ", wizard.text)
        assert f"{plan.rows.train:,} train rows · 4 epochs" in wizard.text
        assert f"{plan.params.batch_size:,} a batch · local · no cost" in wizard.text
        assert "50% of the buyers" in wizard.text


@in_loop
async def test_features_of_another_dataset_bring_their_dataset(root):
    define(root, GROCERIES, "more")
    write_groceries(root / "groceries")
    async with Wizard(root) as wizard:
        await wizard.press("home")
        await wizard.settle()
        assert "of dataset groceries" in wizard.text
        await wizard.press("ctrl+n", "tab", "tab", "right", "tab", *"30")
        await wizard.settle()
        assert 'dataset "groceries" has no timestamp' in wizard.note("split")
        await wizard.press("shift+tab", "left")
        assert (await wizard.start()).dataset == "groceries"


@in_loop
async def test_the_mouse_chooses_too(root):
    async with Wizard(root) as wizard:
        await wizard.click("#pick-model_config_name", line=2, cell=5)
        assert (wizard.focus, wizard.screen.what.models.choice) == ("model_config_name", "wide")
        await wizard.click("#pick-feature_config", line=0, cell=3)
        assert wizard.screen.what.features.choice == "basic"
        await wizard.press("ctrl+n")
        await wizard.click("#choose-split", line=0, cell=14)
        assert wizard.screen.how.split.value == "time-holdout"
        await wizard.click("#choose-backend", line=0, cell=14)
        assert wizard.screen.how.backend.value == "local"
        assert "There is no backend 'vertex' in this workspace." in wizard.text
        wizard.go("backend")
        await wizard.press("right")
        assert wizard.screen.how.backend.value == "local"
        assert "There is no backend 'vertex' in this workspace." in wizard.text


@in_loop
async def test_the_cloud_is_chosen_with_where_its_rows_are(root, monkeypatch):
    monkeypatch.setattr(Engine, "unavailable_backends", lambda self: {})
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n")
        wizard.go("backend")
        assert not wizard.screen.how.fields["upload_rows"].display
        await wizard.press("right", "enter")
        await wizard.settle()
        assert wizard.focus == "upload_rows"
        assert "has no BigQuery source" in wizard.note("upload_rows")
        assert wizard.note("upload_rows").endswith("or send the sample.")
        await wizard.press("right")
        await wizard.settle()
        assert "Dataflow on e2-standard-4" in wizard.text
        assert "billed by Google" in wizard.text
        await wizard.press("tab", "right", "right")
        await wizard.settle()
        assert "Dataflow on e2-standard-8" in wizard.text
        request = wizard.screen._checked.request
        assert (request.backend, request.upload_rows, request.hardware) == (
            *("vertex", True),
            "medium",
        )


@in_loop
async def test_escape_goes_back_a_step_then_leaves(root):
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", "down", "escape")
        assert wizard.screen.form.step == "what"
        await wizard.press("escape")
        assert isinstance(wizard.app.screen, Confirm)
        await wizard.press("escape")
        assert wizard.app.screen is wizard.screen
        assert wizard.value("sample_percent") == "50"
        await wizard.press("escape", "y")
        assert wizard.results == [None]


@in_loop
async def test_escape_asks_nothing_when_nothing_was_typed(root):
    async with Wizard(root) as wizard:
        await wizard.press("down", "ctrl+n", "tab", "tab", "right", "escape", "escape")
        assert wizard.results == [None]


@in_loop
async def test_readonly_starts_nothing(root):
    async with Wizard(root, readonly=True) as wizard:
        assert "Ctrl-S" not in wizard.text
        await wizard.press("ctrl+s")
        await wizard.shows("started with --readonly")
        assert not wizard.results
        assert wizard.engine.list_experiments().total == 0


@in_loop
async def test_the_newest_experiments_choice_is_proposed(root):
    with engine_on(root) as engine:
        engine.create(QuickTestRequest(feature_config="titled", model_config_name="wide"))
    async with Wizard(root) as wizard:
        what = wizard.screen.what
        assert (what.features.choice, what.models.choice) == ("titled", "wide")
    define(root, DEFINITIONS.replace("features.titled", "features.other"))
    async with Wizard(root) as wizard:
        what = wizard.screen.what
        assert (what.features.choice, what.models.choice) == ("basic", "wide")


@in_loop
async def test_typing_does_not_ask_for_what_is_awaited_already(root):
    async with Wizard(root) as wizard:
        asked = []
        ask = wizard.app.link.ask

        async def counted(call):
            asked.append(call)
            await asyncio.sleep(0.2)
            return await ask(call)

        wizard.app.link.ask = counted
        wizard.screen._previews.forget()
        wizard.go("name")
        await wizard.press(*"a name that is typed")
        await wizard.settle()
        wizard.app.link.ask = ask
        names = {call.__code__.co_names for call in asked}
        previews = [call for call in asked if "preview_features" in call.__code__.co_names]
        assert len(previews) == 1, names


@in_loop
async def test_help_and_question_marks(root):
    async with Wizard(root) as wizard:
        wizard.go("name")
        await wizard.press("question_mark")
        assert wizard.value("name") == "?"
        await wizard.press("f1")
        assert isinstance(wizard.app.screen, HelpScreen)
        await wizard.shows("Start the run")


@pytest.mark.parametrize("size", [SMALL, WIDE, HUGE, (60, 16)])
@in_loop
async def test_ascii_draws_nothing_else(root, size):
    define(root, DEFINITIONS.replace('column = "title"', 'column = "title"\n# é'))
    define(root, BROKEN, "broken")
    async with Wizard(root, size=size, ascii=True) as wizard:
        assert wizard.text.isascii()
        await wizard.press("end")
        assert wizard.text.isascii()
        await wizard.press("home", "ctrl+n", *"0", "tab", "right", "ctrl+s")
        await wizard.settle()
        assert wizard.text.isascii()


@pytest.mark.parametrize("size", [SMALL, WIDE, HUGE])
@in_loop
async def test_nothing_overlaps_or_is_cut(root, size):
    define(root, BROKEN, "broken")
    async with Wizard(root, size=size) as wizard:
        assert flaws(wizard.app) == []
        await wizard.press("end", "pagedown")
        assert flaws(wizard.app) == []
        await wizard.press("home", "ctrl+n", "0", "tab", "tab", "right", "right", "ctrl+s")
        assert flaws(wizard.app) == []


@in_loop
async def test_the_focused_field_and_its_note_are_in_view_at_80_by_24(root):
    async with Wizard(root, size=SMALL) as wizard:
        await wizard.press("ctrl+n", "tab", "tab", "right", "right", "ctrl+s")
        for name in ("train_days", "val_days", "test_days", "epochs", "seed", "hardware"):
            wizard.go(name)
            await wizard.press("end")
            field = wizard.screen.form.fields[name]
            assert field.parent.region.contains_region(field.region), name
            assert re.search(rf"▌ {LABELS[name]}", wizard.text)


@in_loop
async def test_what_is_told_further_up_leaves_the_field_in_hand_in_view(root, monkeypatch):
    async with Wizard(root, size=SMALL) as wizard:
        await wizard.press("ctrl+n")
        wizard.go("hardware")
        await wizard.settle()
        field = wizard.screen.form.fields["hardware"]
        above = wizard.screen.form.fields["sample_percent"]
        before = above.region.height
        monkeypatch.setattr(
            "tui.screens.wizard.screen.warnings_of",
            lambda checked, answer: {"sample_percent": "Only a few rows are left. " * 8},
        )
        wizard.screen._show_notes()
        await wizard.until(lambda: above.region.height > before)
        await wizard.until(lambda: field.parent.region.contains_region(field.region))


def test_every_hint_fits_into_80_cells():
    assert max(map(len, HINTS.values())) <= 78
    assert {*LABELS} - {"split"} <= {*HINTS}
