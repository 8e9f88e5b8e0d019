"""The Data tab: statistics that the engine reads from TFX's files, and the report."""

import pytest

from engine.spec.run_folder import SCHEMA_FILE, STATISTICS_FILES
from tests.engine.sample_statistics import SCHEMA, statistics_file
from tests.tui.harness import SMALL, WIDE, Opened, OpenedApp, ShopLink, in_loop
from tui.screens.data_tab import DataTab


@pytest.fixture
def measured(run):
    """A completed run with statistics of train and test."""
    for split in ("train", "test"):
        run.backend.files[run.uid, STATISTICS_FILES[split]] = statistics_file()
    run.backend.files[run.uid, SCHEMA_FILE] = SCHEMA
    return run


@pytest.fixture
def opened(run):
    def opening(*, readonly=False, **how):
        return Opened(DataTab, ShopLink(run.shop, readonly=readonly), run.number, **how)

    return opening


@in_loop
async def test_columns_stand_in_a_table_with_what_was_measured(measured, opened):
    async with opened() as tab:
        await tab.show(measured.completes())
        assert "train 100 rows   test 100 rows   3 columns" in tab.text
        rows = {line.split()[0]: line for line in tab.text.splitlines() if line[:3] == "   "}
        assert "0.0%" in rows["price"]
        assert "-1.000 / 1.500 / 3.000" in rows["price"]
        assert "row_key" not in tab.text


@pytest.mark.parametrize("size", [SMALL, WIDE])
@in_loop
async def test_detail_follows_the_cursor(measured, opened, size):
    async with opened(size=size) as tab:
        await tab.show(measured.completes())
        assert "20.0%" in tab.text
        assert "2 different values" in tab.text
        assert "one of 2: food, fuel" in " ".join(tab.text.split())
        assert "\x1b" not in tab.text
        await tab.press("j")
        assert "-1.000 – 1.000" in tab.text
        assert "30  30.0%" in tab.text
        assert "70  70.0%" in tab.text
        await tab.press("k", "k", "G")
        assert "Its distribution was not measured." in tab.text


@in_loop
async def test_bars_are_as_long_as_their_counts(measured, opened):
    async with opened() as tab:
        await tab.show(measured.completes())
        await tab.press("j")
        few, many = (line for line in tab.text.splitlines() if "▇" in line)
        assert few.count("▇") == round(30 / 70 * many.count("▇"))
        assert "┈" not in many


@in_loop
async def test_another_split_is_shown_and_the_column_stays(measured, opened):
    measured.backend.files[measured.uid, STATISTICS_FILES["test"]] = statistics_file("aisle")
    async with opened() as tab:
        await tab.show(measured.completes())
        await tab.press("j", "s")
        assert "aisle" in tab.text
        assert "-1.000 – 1.000" in tab.text
        await tab.press("s")
        assert "department" in tab.text


@in_loop
async def test_statistics_that_are_not_there_yet_are_read_when_they_come(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(1))
        assert "has no statistics yet: they come when Stats has ended." in tab.text
        run.backend.files[run.uid, STATISTICS_FILES["train"]] = statistics_file()
        await tab.show(run.trains(2))
        assert "train 100 rows" in tab.text
        assert "has no statistics" not in tab.text


@in_loop
async def test_damaged_files_are_told_in_a_sentence(measured, opened):
    measured.backend.files[measured.uid, STATISTICS_FILES["train"]] = b"not a protobuf"
    async with opened() as tab:
        await tab.show(measured.completes())
        assert "column" not in tab.text
        assert "statistics" in tab.text


@in_loop
async def test_report_is_written_into_the_workspace(measured):
    measured.completes()
    async with OpenedApp(measured.shop) as app:
        await app.press("enter", "right_square_bracket", "right_square_bracket")
        await app.shows("train 100 rows")
        await app.press("e")
        await app.shows("The report is in")
        page = (measured.root / "reports" / f"experiment-{measured.number}.html").read_text()
        assert page.startswith("<!DOCTYPE html>")
        assert "department" in page


@in_loop
async def test_a_report_that_cannot_be_written_is_told(measured):
    measured.completes()
    (measured.root / "reports").write_text("in the way")
    async with OpenedApp(measured.shop) as app:
        await app.press("enter", "right_square_bracket", "right_square_bracket")
        await app.shows("train 100 rows")
        await app.press("e")
        await app.shows("writable")  # a word: where lines break depends on the path
    assert (measured.root / "reports").read_text() == "in the way"


@in_loop
async def test_readonly_writes_no_report(measured):
    measured.completes()
    async with OpenedApp(measured.shop, readonly=True) as app:
        await app.press("enter", "right_square_bracket", "right_square_bracket")
        await app.shows("train 100 rows")
        await app.press("e")
        await app.shows("--readonly")
    assert not (measured.root / "reports").exists()


@pytest.mark.parametrize("size", [(60, 12), (80, 20), (109, 30), (200, 56), (20, 4)])
@in_loop
async def test_every_size_is_drawn_in_ascii(measured, opened, size):
    async with opened(size=size, ascii=True) as tab:
        await tab.show(measured.completes())
        assert tab.text.isascii()
