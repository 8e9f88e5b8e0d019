"""The New experiment wizard in the app: what is wrong is told where it is to be mended."""

import json
import re

import pytest

from engine.errors import EngineError
from engine.planning import QuickTestRequest
from tests.sample_data import write_ratings
from tests.tui.harness import in_loop
from tests.tui.wizard_app import (
    BROKEN,
    DEFINITIONS,
    SMALL,
    WIDE,
    Wizard,
    define,
    engine_on,
    workspace_in,
)
from tui.screens.wizard import WizardScreen
from tui.screens.wizard.blame import field_of
from tui.screens.wizard.draft import LABELS

BAD_NUMBERS = (
    ("sample_percent", "0", "From 1 to 100."),
    ("sample_percent", "100.5", "From 1 to 100."),
    ("sample_percent", "-5", "A number, as 10."),
    ("sample_percent", "all", "A number, as 10."),
    ("epochs", "0", "A whole number from 1 to 1,000."),
    ("epochs", "1001", "A whole number from 1 to 1,000."),
    ("epochs", "2.5", "A whole number from 1 to 1,000."),
    ("batch_size", "65537", "A whole number from 1 to 65,536."),
    ("batch_size", "9999999999999999", "A whole number from 1 to 65,536."),
    ("learning_rate", "fast", "A number, as 0.01."),
    ("learning_rate", "nan", "A number, as 0.01."),
    ("learning_rate", "1e99", "From 0.0001 to 1."),
    ("learning_rate", "0.00001", "From 0.0001 to 1."),
    ("seed", "-1", "A whole number from 0 to 2,147,483,647."),
    ("seed", "2147483648", "A whole number from 0 to 2,147,483,647."),
    ("seed", "٣", "A whole number from 0 to 2,147,483,647."),
)
HOSTILE = "x\x1b]0;owned\x07[red]y[/]\u202ez"


@pytest.fixture
def root(tmp_path):
    return workspace_in(tmp_path)


@in_loop
async def test_missing_days_are_asked_for_quietly_and_then_insisted_on(root):
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", "tab", "tab", "right", "right")
        await wizard.settle()
        assert "Still needed: Train days, Val days, Test days" in wizard.text
        assert wizard.note("train_days") == ""
        await wizard.press("ctrl+s")
        assert wizard.focus == "train_days"
        assert wizard.note("train_days") == "✖ Needed: a number of days."
        await wizard.press(*"100")
        assert wizard.note("train_days") == ""
        assert not wizard.results


@in_loop
async def test_a_bad_number_is_told_beneath_its_field_and_gets_the_focus(root):
    async with Wizard(root, size=SMALL) as wizard:
        for field, typed, said in BAD_NUMBERS:
            await wizard.write(field, typed)
            assert wizard.note(field) == f"✖ {said}"
            assert f"✖ {LABELS[field]}: {said}" in wizard.text
            wizard.go("name")
            await wizard.press("ctrl+s")
            assert wizard.focus == field
            assert wizard.text.count(said[:12]) == 2, "note and summary are in view"
            await wizard.press("ctrl+u")
            assert "✖" not in wizard.note(field)
        assert not wizard.results


@in_loop
async def test_bad_days_are_told(root):
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", "tab", "tab", "right")
        for typed in ("-3", "0", "36501", "week"):
            await wizard.write("holdout_days", typed)
            await wizard.press("shift+tab", "ctrl+s")
            assert wizard.focus == "holdout_days"
            assert wizard.note("holdout_days") == "✖ A whole number from 1 to 36,500."


@in_loop
async def test_warnings_stand_beneath_the_field_that_causes_them(root):
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", *"50", "tab", "tab", "tab", *"60")
        await wizard.settle()
        assert "60 epochs are many" in wizard.note("epochs")
        assert re.match(r"! Only \d+ test rows", wizard.note("sample_percent"))
        assert "! 2 warnings" in wizard.text
        assert (await wizard.start()).params.epochs == 60


@pytest.mark.parametrize(
    ("keys", "field", "said"),
    [
        (("tab", "tab", "tab", "tab", *"65000"), "batch_size", "larger than the train split"),
        (("1",), "sample_percent", "less than 20 rows"),
        (("tab", "tab", "right", "tab", *"9999"), "split", "too short for this split"),
    ],
)
@in_loop
async def test_what_the_data_refuses_is_told_beneath_its_field(root, keys, field, said):
    write_ratings(root / "ratings.csv", 300)
    async with Wizard(root) as wizard:
        await wizard.press("ctrl+n", *keys)
        await wizard.settle()
        assert said in wizard.note(field)
        wizard.go("name")
        await wizard.press("ctrl+s")
        assert wizard.focus == field
        assert not wizard.results


@in_loop
async def test_invalid_definitions_are_listed_with_file_and_line_and_cannot_be_chosen(root):
    define(root, BROKEN, "broken")
    async with Wizard(root) as wizard:
        await wizard.press("end")
        await wizard.settle()
        assert "✖ torn" in wizard.text
        assert "definitions/broken.toml, line 7" in wizard.text
        assert 'Did you mean "dim"' in wizard.text
        for key in ("enter", "ctrl+n", "ctrl+s"):
            await wizard.press(key)
            assert wizard.focus == "feature_config"
        assert "Choose a feature config." in wizard.text
        await wizard.press("home", "enter", "end")
        await wizard.settle()
        assert "✖ enormous" in wizard.text
        await wizard.press("ctrl+s")
        assert wizard.focus == "model_config_name"
        assert not wizard.results


@in_loop
async def test_definitions_that_change_meanwhile_are_followed(root):
    define(root, BROKEN, "broken")
    async with Wizard(root) as wizard:
        await wizard.press("end", "enter")
        assert wizard.screen.what.features.entry.name == "torn"
        define(root, BROKEN.replace("dimm", "dim"), "broken")
        await wizard.until(lambda: wizard.screen.what.features.choice == "torn")
        await wizard.settle()
        assert "2,000 rows" in wizard.text
        define(root, BROKEN.replace("dimm = 8", "dim = 9"), "broken")
        await wizard.until(lambda: re.search(r"user +id.* 9$", wizard.text, re.MULTILINE))
        define(root, BROKEN.replace("dimm", "dimmm"), "broken")
        await wizard.shows("file is wrong")
        await wizard.shows("features.torn.buyer[0].dimmm")
        await wizard.settle()
        await wizard.press("ctrl+n")
        await wizard.shows('! The last valid version of "torn" is used')
        (root / "definitions" / "broken.toml").unlink()
        await wizard.shows("torn can't be used any more. Chosen instead: basic.")


@in_loop
async def test_data_that_is_put_right_is_read_again(root):
    (root / "ratings.csv").rename(root / "elsewhere.csv")
    async with Wizard(root) as wizard:
        await wizard.shows("ratings.csv")
        await wizard.press("ctrl+s")
        await wizard.settle()
        assert not wizard.results
        (root / "elsewhere.csv").rename(root / "ratings.csv")
        await wizard.press("ctrl+s")
        await wizard.settle()
        assert "train rows" in wizard.text
        await wizard.start()


@in_loop
async def test_what_is_refused_at_the_start_is_told(root):
    async with Wizard(root) as wizard:
        wizard.go("name")
        await wizard.press(*"kept")
        (root / "ratings.csv").unlink()
        await wizard.press("ctrl+s")
        await wizard.shows("ratings.csv")
        assert isinstance(wizard.app.screen, WizardScreen)
        assert wizard.value("name") == "kept"
        assert not wizard.results


@pytest.mark.parametrize("size", [SMALL, WIDE])
@in_loop
async def test_hostile_names_are_shown_and_used_literally(root, size):
    markup = '[@click=app.quit]名[/] "' + "long " * 12 + "."
    named = DEFINITIONS.replace("features.basic", f"features.{json.dumps(HOSTILE)}")
    define(root, named.replace("features.titled", f"features.{json.dumps(markup)}"))
    async with Wizard(root, size=size) as wizard:
        assert "[@click=app.quit]名[/]" in wizard.text
        await wizard.press("end")
        assert "✖ x␛]0;owned␇[red]y[/]<U+202E>z" in wizard.text
        assert "a name must be printable" in " ".join(wizard.text.split())
        assert not {"\x1b", "\x07", "\u202e"} & set(wizard.text)
        await wizard.press("home", "enter", "enter")
        await wizard.paste(HOSTILE)
        assert wizard.value("name") == "x]0;owned[red]y[/]z"
        made = await wizard.start()
    assert made.feature_config == markup
    assert made.name == "x]0;owned[red]y[/]z"


@in_loop
async def test_a_very_long_name_is_cut_and_that_is_told(root):
    async with Wizard(root, size=SMALL) as wizard:
        wizard.go("name")
        await wizard.paste("ab" * 5_000)
        assert wizard.note("name") == "! Full: at most 120 characters."
        await wizard.press("c")
        made = await wizard.start()
    assert made.name == "ab" * 60


@in_loop
async def test_without_definitions_it_says_how_to_get_some(root):
    define(root, "")
    async with Wizard(root, size=SMALL) as wizard:
        assert "There is no feature config yet." in wizard.text
        assert "towerlab init" in wizard.text
        await wizard.press("enter", "ctrl+n", "ctrl+s", "down", "end")
        assert wizard.screen.form.step == "what"
        await wizard.press("escape")
        assert wizard.results == [None]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("sample_percent", {"sample_percent": 200.0}),
        ("split", {"split": "time-holdout", "holdout_days": 9_000}),
        ("holdout_days", {"split": "time-holdout", "holdout_days": 99_999}),
        ("train_days", {"train_days": 5}),
        ("epochs", {"epochs": 0}),
        ("batch_size", {"batch_size": 60_000}),
        ("learning_rate", {"learning_rate": 7.0}),
        ("patience", {"early_stopping": 0}),
        ("seed", {"seed": -1}),
        ("upload_rows", {"backend": "vertex"}),
        ("feature_config", {"feature_config": "gone"}),
        ("model_config_name", {"model_config_name": "gone"}),
        ("model_config_name", {"model_config_name": "rating"}),
    ],
)
def test_what_the_engine_refuses_is_told_at_its_field(root, field, wrong):
    define(root, '[models.rating]\ntype = "ranking"\npreset = "minimal"\n', "rating")
    asked = {"feature_config": "basic", "model_config_name": "standard", **wrong}
    with engine_on(root) as engine, pytest.raises(EngineError) as refused:
        engine.plan(QuickTestRequest(**asked))
    assert field_of(refused.value.message) == field
