"""The Pipeline tab in every state of a run: components, times, the selection."""

import asyncio
from datetime import timedelta

import pytest

from tests.engine.scripted_backend import at_component
from tests.tui.harness import SMALL, WIDE, in_loop
from tests.tui.pipeline_tab import AT_WORK, TRACEBACK, cached, clock, ended_in, log_of, opened
from tui.widgets.dag import Dag
from tui.widgets.gantt import Gantt
from tui.widgets.log_table import LogTable

__all__ = ["clock", "opened"]


@in_loop
async def test_before_the_start_nothing_has_begun(run, opened):
    async with opened(size=SMALL) as tab:
        await tab.show(run.shop.engine.get(run.number))
        assert tab.widget.component == "Examples"
        assert "◌ Examples" in tab.text
        assert "◌ Train" in tab.text
        assert "It has not begun." in tab.text
        assert "0%   Starting" in tab.text
        assert not tab.widget.query_one(Gantt).display


@in_loop
async def test_components_at_work_show_the_time_they_have_taken_so_far(run, opened, clock):
    async with opened() as tab:
        await tab.show(run.trains(2))
        assert tab.widget.component == "Train"
        assert "✔ Transform" in tab.text
        assert "0:36 · 37%" in tab.text
        assert "Train, epoch 3 of 5" in tab.text
        assert "rows: 800 train · 150 eval · 50 test" in tab.text
        clock.now += timedelta(seconds=2)
        tab.widget._tick()
        await tab.settle()
        assert "0:38 · 37%" in tab.text


@in_loop
async def test_the_selection_follows_the_run_until_somebody_chooses(run, opened):
    between = ended_in("Examples", "completed").replace(phase="running", ended_at=None)
    async with opened() as tab:
        await tab.show(run.is_at(at_component(0)))
        assert tab.widget.component == "Examples"
        await tab.show(run.is_at(between))
        assert tab.widget.component == "Examples"
        await tab.show(run.trains(1))
        assert tab.widget.component == "Train"
        await tab.press("left")
        await tab.show(run.completes())
        assert tab.widget.component == "Transform"


@in_loop
async def test_cached_components_are_told_from_those_that_ran(run, opened):
    async with opened() as tab:
        await tab.show(run.is_at(cached(AT_WORK, "Examples", "Stats")))
        assert "↺ Examples" in tab.text
        assert "↺ Stats" in tab.text
        assert "✔ Schema" in tab.text
        assert tab.text.count("↺ cached") == 2, "in the Gantt chart"


@in_loop
async def test_a_failed_component_is_selected_and_tells_why(run, opened):
    run.logs("Transform", "begin", "ERROR|no memory")
    async with opened() as tab:
        await tab.show(run.is_at(ended_in("Transform", "failed")))
        assert tab.widget.component == "Transform"
        assert "✖ Transform failed" in tab.text
        assert "The Trainer ran out of memory." in tab.text
        assert "Fix: Use a smaller batch." in tab.text
        assert log_of(tab)[0].endswith("no memory")
        await tab.press("right")
        assert "Train log" in tab.text
        assert "Train did not begin." in tab.text
        assert "Fix:" not in tab.text


@in_loop
async def test_a_run_that_vanished_tells_so_whatever_is_selected(run, opened):
    run.trains(2)
    run.is_at(AT_WORK.replace(phase="vanished"))
    async with opened() as tab:
        seen = run.look()
        await tab.show(seen)
        assert seen.status == "failed"
        assert "Train failed" in tab.text
        assert seen.error.message[:30] in tab.text


@in_loop
async def test_a_cancelled_run_shows_where_it_ended(run, opened):
    async with opened() as tab:
        await tab.show(run.is_at(ended_in("Stats", "cancelled")))
        assert tab.widget.component == "Stats"
        assert "⊘ Stats" in tab.text
        assert "It logged nothing." in tab.text
        assert "%" not in tab.text, "no progress of what has ended"


@in_loop
async def test_a_lost_run_says_that_it_waits_and_why(run, opened):
    run.trains(2)
    async with opened() as tab:
        await tab.show(run.is_lost("The machine is away.", "Wait until it is back."))
        assert "! It waits" in tab.text
        assert "The machine is away." in tab.text
        assert "Fix: Wait until it is back." in tab.text


@pytest.mark.parametrize("size", [SMALL, WIDE])
@in_loop
async def test_arrow_keys_choose_a_component_and_stop_at_the_ends(run, opened, size):
    run.logs("Schema", "columns: 7")
    async with opened(size=size) as tab:
        await tab.show(run.trains(1))
        await tab.press("left", "h")
        assert tab.widget.component == "Schema"
        await tab.settle()
        assert "columns: 7" in tab.text
        await tab.press(*["left"] * 5)
        assert tab.widget.component == "Examples"
        await tab.press(*["l"] * 9)
        assert tab.widget.component == "Train"


@in_loop
async def test_a_click_chooses_a_box(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(1))
        line = next(text for text in tab.text.split("\n") if "Schema" in text)
        await tab.pilot.click(offset=(line.index("Schema") + 2, tab.text.split("\n").index(line)))
        await tab.settle()
        assert tab.widget.component == "Schema"
        assert "Schema log" in tab.text


@in_loop
async def test_a_click_chooses_a_line_of_the_list(run, opened):
    async with opened(size=SMALL) as tab:
        await tab.show(run.trains(1))
        await tab.pilot.click(Dag, offset=(5, 1))
        await tab.settle()
        assert tab.widget.component == "Stats"


@in_loop
async def test_a_narrow_terminal_lists_what_a_wide_one_draws(run, opened):
    async with opened(size=SMALL) as tab:
        await tab.show(run.trains(1))
        assert "✔ Transform" in tab.text
        assert "from Schema, Examples" in tab.text
        assert "╭" not in tab.text
        assert not tab.widget.query_one(Gantt).display
        await tab.pilot.resize_terminal(*WIDE)
        await tab.settle()
        assert "╭" in tab.text
        assert tab.widget.query_one(Gantt).display


@in_loop
async def test_an_answer_that_comes_while_it_is_removed_finds_nobody(run, opened, monkeypatch):
    async with opened() as tab:
        await tab.show(run.trains(1))
        going = asyncio.Event()

        async def slow(call):
            await going.wait()
            return ()

        tab.link.ask = slow
        await tab.press("R")
        monkeypatch.setattr(LogTable, "on_unmount", lambda _: going.set(), raising=False)
        await tab.widget.remove()
        await tab.settle()
        assert going.is_set()


@pytest.mark.parametrize("size", [(20, 4), (60, 12), SMALL, WIDE, (200, 56)])
@pytest.mark.parametrize("theme", ["towerlab-dark", "towerlab-light", "towerlab-16"])
@in_loop
async def test_every_size_and_theme_is_drawn(run, opened, size, theme):
    run.logs("Train", "one", TRACEBACK)
    async with opened(size=size, theme=theme) as tab:
        await tab.show(run.is_at(ended_in("Train", "failed")))
        assert "Train failed" in tab.text or size[1] < 20


@in_loop
async def test_ascii_draws_nothing_else(run, opened):
    run.logs("Train", "größer …", TRACEBACK)
    for size in (SMALL, WIDE):
        async with opened(ascii=True, size=size) as tab:
            await tab.show(run.is_at(cached(AT_WORK, "Examples")))
            await tab.press("enter")
            assert tab.text.isascii()
            assert "= Examples" in tab.text
