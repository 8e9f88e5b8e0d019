"""Marking experiments in the list and comparing them."""

import csv
import json

import pytest

from engine.spec.run_folder import TEST_ROWS
from engine.store import experiments
from tests.engine.analysis.rows_files import rows_file
from tests.tui.harness import OpenedApp, in_loop
from tui.screens.compare import CompareScreen
from tui.screens.compare_drawing import loss_chart
from tui.widgets.card_list import CardList


@pytest.fixture
def two(shop):
    """A shop with two completed runs of different results, and one that waits."""
    shop.create(name="Waiting")
    for name, recall in (("First", 0.2), ("Second", 0.3)):
        shop.start(name=name).completes(recall=recall)
    return shop


async def compared(app):
    await app.press("space", "j", "space", "c")
    await app.until(lambda: isinstance(app.app.screen, CompareScreen))
    await app.shows("Recall@100")


@in_loop
async def test_marks_are_shown_and_escape_clears_them(two):
    async with OpenedApp(two) as app:
        await app.press("space")
        assert app.app.screen.query_one(CardList).marked == (3,)
        assert any(line.startswith("●✔ #3") for line in app.lines)
        await app.press("c")
        assert not isinstance(app.app.screen, CompareScreen), "one alone is no comparison"
        await app.press("escape")
        assert app.app.screen.query_one(CardList).marked == ()
        assert not any(line.startswith("●") for line in app.lines)


@in_loop
async def test_at_most_four_can_be_marked(two):
    for _ in range(3):
        two.create(name="More")
    async with OpenedApp(two) as app:
        await app.press(*["space", "j"] * 4, "space")
        assert len(app.app.screen.query_one(CardList).marked) == 4
        await app.shows("At most 4 can be compared")


@in_loop
async def test_best_value_and_baseline_stand_out(two):
    async with OpenedApp(two) as app:
        await compared(app)
        row = next(line for line in app.lines if "Recall@100" in line)
        assert "* 0.300 ±0.010" in row
        assert "0.200 ±0.010" in row
        assert row.index("0.300") < row.index("0.200"), "in the order of marking"
        assert "#3 ★ baseline" in app.text
        await app.press("b")
        await app.shows("#2 ★ baseline")


@in_loop
async def test_differences_only_leaves_out_what_is_the_same(two):
    async with OpenedApp(two) as app:
        await compared(app)
        assert "Dataset" in app.text
        await app.press("D")
        assert "differences only" in app.text
        assert "Dataset" not in app.text
        await app.press("D")
        assert "Dataset" in app.text


@in_loop
async def test_without_test_rows_no_claim_is_made_and_the_reason_told(two):
    async with OpenedApp(two) as app:
        await compared(app)
        told = " ".join(app.text.split())
        assert "No claim about #2 against #3: the test rows of" in told
        assert "●" not in next(line for line in app.lines if "Recall@100" in line)


@in_loop
async def test_an_experiment_without_result_is_refused_in_a_sentence(two):
    async with OpenedApp(two) as app:
        await app.press("space", "G", "space", "c")
        await app.shows("#1 has no result to compare")
        await app.press("escape")
        await app.shows("Second")


@in_loop
async def test_small_terminal_shows_a_page_at_a_time(two):
    async with OpenedApp(two, size=(80, 24)) as app:
        await compared(app)
        assert "No claim" not in app.text
        await app.press("right_square_bracket")
        await app.shows("No claim")
        assert "Recall@100 " not in app.text
        await app.press("right_square_bracket")
        await app.shows("Validation loss")
        await app.press("right_square_bracket")
        await app.shows("Result")


@pytest.mark.parametrize(("down", "ending"), [(0, "md"), (1, "csv"), (2, "json")])
@in_loop
async def test_comparison_is_written_into_the_workspace(two, down, ending):
    async with OpenedApp(two) as app:
        await compared(app)
        await app.press("e")
        await app.shows("Export as")
        await app.press(*["down"] * down, "enter")
        await app.shows("The comparison is in")
    text = (two.root / "reports" / f"comparison-3-2.{ending}").read_text()
    if ending == "csv":
        rows = {row["row"]: row for row in csv.DictReader(text.splitlines())}
        assert float(rows["Recall@100"]["#2"]) == 0.2
        assert rows["Recall@100"]["best"] == "#3"
    elif ending == "json":
        assert json.loads(text)["numbers"] == [3, 2]
    else:
        assert "| Recall@100 | **0.300 ±0.010** | 0.200 ±0.010 |" in text


@in_loop
async def test_readonly_writes_nothing(two):
    async with OpenedApp(two, readonly=True) as app:
        await compared(app)
        await app.press("e", "enter")
        await app.shows("--readonly")
    assert not (two.root / "reports").exists()


def test_losses_of_different_lengths_share_the_axis(shop):
    shop.start(name="Short").trains(2)
    shop.start(name="Long").trains(4)
    chart = loss_chart({number: shop.engine.history(number) for number in (1, 2)})
    assert chart.xs == (1.0, 2.0, 3.0, 4.0)
    by_name = {series.name: series.values for series in chart.series}
    assert by_name["#1"][2:] == (None, None)
    assert None not in by_name["#2"][2:3]
    assert loss_chart({1: None}) is None


@in_loop
async def test_a_difference_larger_than_its_uncertainty_points_up_or_down(two):
    buyers = list(range(200))
    for number, rank in ((2, 150.0), (3, 5.0)):
        with two.database.read() as session:
            uid = experiments.track(session, number).uid
        two.backend.files[uid, TEST_ROWS] = rows_file(buyers, rank=[rank] * 190 + [50.0] * 10)
    async with OpenedApp(two) as app:
        await compared(app)
        await app.shows("● #2 is worse than #3")
        row = next(line for line in app.lines if "Recall@100" in line)
        assert "▼ -0.950" in row
