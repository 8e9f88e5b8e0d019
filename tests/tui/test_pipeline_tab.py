"""The Pipeline tab in every state of a run: components, times, logs, search."""

import asyncio
from datetime import timedelta

import pytest
from textual import events

from engine.errors import EnvironmentNotReady
from tests.engine.scripted_backend import START, at_component, ended, failure, training
from tests.tui.harness import EPOCHS, SMALL, WIDE, Opened, in_loop
from tui.link import Link
from tui.screens.pipeline_tab import PipelineTab
from tui.widgets.dag import Dag
from tui.widgets.gantt import Gantt
from tui.widgets.line_block import LineBlock
from tui.widgets.log_table import LogTable

TRACEBACK = 'ERROR|Traceback (most recent call last):\n  File "a.py", line 1\nValueError: 7 shapes'
AT_WORK = training(1, EPOCHS, step=0, steps=EPOCHS)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self):
        self.now = START + timedelta(seconds=40)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(run, clock):
    def opening(**how):
        link = Link(run.root, readonly=True)
        return Opened(PipelineTab, link, run.number, clock=clock, **how)

    return opening


def cached(status, *names):
    """Return a run some of whose components came from the cache."""
    components = tuple(c.replace(cached=c.name in names) for c in status.components)
    return status.replace(components=components)


def ended_in(name, status):
    """Return a run that ended in a component."""
    run = ended(status, error=failure(component=name) if status == "failed" else None)
    at = [component.name for component in run.components].index(name)
    never = {"status": "pending", "started_at": None, "ended_at": None}
    components = (
        *run.components[:at],
        run.components[at].replace(status=status),
        *(component.replace(**never) for component in run.components[at + 1 :]),
    )
    return run.replace(components=components)


def log_of(tab):
    """Return the lines of the log that are on screen."""
    region = tab.widget.query_one(LogTable).region
    lines = tab.text.split("\n")[region.y : region.bottom]
    return [line.strip() for line in lines if line.strip()]


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
async def test_a_log_line_shows_severity_time_and_message(run, opened):
    run.logs("Train", "one", "WARNING|two", "ERROR|three", "DEBUG|four")
    clock = f"{START.astimezone():%H:%M}"
    async with opened() as tab:
        await tab.show(run.trains(1))
        assert log_of(tab) == [
            f"▌DEBUG  {clock}:03  four",
            f"ERROR  {clock}:02  three",
            f"WARN   {clock}:01  two",
            f"INFO   {clock}:00  one",
        ]
        assert "4 lines · R refreshes · / searches" in tab.text


@in_loop
async def test_new_lines_appear_by_themselves_while_the_run_goes_on(run, opened):
    run.logs("Train", "one")
    async with opened() as tab:
        await tab.show(run.trains(1))
        run.logs("Train", "two", first=1)
        tab.widget._tick()
        await tab.settle()
        assert [line[-3:] for line in log_of(tab)] == ["two", "one"]
        assert "▌" in log_of(tab)[0], "who looks at the newest goes on doing so"


@in_loop
async def test_the_log_is_that_of_the_component_that_the_selection_went_on_to(run, opened):
    run.logs("Examples", "reads")
    async with opened() as tab:
        await tab.show(run.is_at(at_component(0)))
        assert "reads" in tab.text
        run.logs("Train", "learns")
        await tab.show(run.trains(1))
        assert [line[-6:] for line in log_of(tab)] == ["learns"]


@in_loop
async def test_the_log_is_read_when_its_component_begins(run, opened):
    pending = training(1, EPOCHS, step=0, steps=EPOCHS)
    async with opened() as tab:
        await tab.show(run.is_at(at_component(0)))
        await tab.press("right")
        assert "It has not begun." in tab.text
        run.logs("Stats", "counts")
        await tab.show(run.is_at(pending))
        assert "counts" in tab.text


@in_loop
async def test_the_cursor_stays_on_its_line_when_new_ones_come(run, opened):
    run.logs("Train", *"abcdef")
    async with opened() as tab:
        await tab.show(run.trains(1))
        await tab.press("j", "down")
        run.logs("Train", "new", first=9)
        tab.widget._tick()
        await tab.settle()
        assert tab.widget.query_one(LogTable).selected.head == "d"


@in_loop
async def test_the_last_lines_are_read_when_the_run_has_ended(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(1))
        run.logs("Train", "goodbye")
        await tab.show(run.completes())
        assert "goodbye" in tab.text
        run.logs("Train", "after the end", first=1)
        tab.widget._tick()
        await tab.settle()
        assert "after the end" not in tab.text, "nothing is followed any longer"


@in_loop
async def test_refreshing_reads_the_log_again(run, opened):
    run.logs("Train", "one")
    async with opened() as tab:
        await tab.show(run.completes())
        run.logs("Train", "two", first=1)
        await tab.press("R")
        await tab.settle()
        assert "two" in tab.text


@in_loop
async def test_enter_opens_the_whole_message_and_closes_it(run, opened):
    run.logs("Train", "first", TRACEBACK, first=0)
    async with opened() as tab:
        await tab.show(run.completes())
        assert "Traceback (most recent call last): …" in tab.text
        await tab.press("enter")
        assert log_of(tab)[1:3] == [
            '▌                   File "a.py", line 1',
            "▌                 ValueError: 7 shapes",
        ]
        await tab.press("enter")
        assert "ValueError" not in tab.text


@in_loop
async def test_a_double_click_opens_a_line(run, opened):
    run.logs("Train", "first", TRACEBACK)
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.pilot.click(LogTable, offset=(20, 0), times=2)
        assert "ValueError: 7 shapes" in tab.text


@in_loop
async def test_a_long_line_is_cut_and_opens_in_full(run, opened):
    words = " ".join(f"word{i}" for i in range(200))
    run.logs("Train", words)
    async with opened(size=SMALL) as tab:
        await tab.show(run.completes())
        assert len(log_of(tab)) == 1
        assert log_of(tab)[0].endswith("…")
        await tab.press("enter")
        found = []
        for _ in range(10):
            found += [word for line in log_of(tab) for word in line.split() if "word" in word]
            await tab.press("pagedown")
        assert set(words.split()) <= set(found), "reached page by page"


@in_loop
async def test_copying_takes_the_whole_line(run, opened):
    run.logs("Train", TRACEBACK)
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.press("y")
        assert tab.app.clipboard.startswith("ERROR  ")
        assert tab.app.clipboard.endswith("ValueError: 7 shapes")


@in_loop
async def test_a_search_typed_at_once_triggers_no_command(run, opened):
    run.logs("Train", "loss 1", "training data", "val 2")
    async with opened() as tab:
        await tab.show(run.completes())
        chosen = []
        tab.widget._choose = chosen.append
        for character in "/lhRy/train":
            key = {"/": "slash"}.get(character, character)
            tab.app.post_message(events.Key(key, character))
        await tab.settle()
        await tab.settle()
        search = tab.widget._search
        assert search.value == "lhRy/train"
        assert chosen == []
        assert tab.app.clipboard == ""


@in_loop
async def test_a_search_narrows_in_any_case_and_is_cleared_with_escape(run, opened):
    run.logs("Train", "Loss 1", "training data", "LOSS 2")
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.press("slash", *"loss")
        assert [line[-6:] for line in log_of(tab)] == ["LOSS 2", "Loss 1"]
        assert "2 of 3 lines · Esc shows all" in tab.text
        await tab.press("enter", "j")
        assert tab.widget.query_one(LogTable).selected.head == "Loss 1"
        await tab.press("escape")
        assert len(log_of(tab)) == 3
        await tab.press("slash", *"loss", "escape")
        assert len(log_of(tab)) == 3
        assert tab.app.focused is tab.widget.query_one(LogTable)


@in_loop
async def test_a_search_without_result_says_so(run, opened):
    run.logs("Train", "one")
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.press("slash", *"[/]x")
        assert "No line contains this text." in tab.text
        assert "[/]x" in tab.text


@in_loop
async def test_a_huge_log_is_read_from_its_end(run, opened):
    run.logs("Train", *(f"line {i}" for i in range(100_000)))
    async with opened() as tab:
        await tab.show(run.trains(1))
        assert "line 99999" in tab.text
        assert "50 newest" in tab.text
        await tab.press("G")
        assert tab.widget.query_one(LogTable).selected.head == "line 99950"


@in_loop
async def test_a_tick_draws_only_lines_that_changed(run, opened, clock, monkeypatch):
    drawn = []
    refresh = LineBlock.refresh

    def noted(block, *regions, **how):
        drawn.append((type(block).__name__, regions, how))
        return refresh(block, *regions, **how)

    run.logs("Train", "one")
    async with opened() as tab:
        await tab.show(run.trains(2))
        monkeypatch.setattr(LineBlock, "refresh", noted, raising=False)
        monkeypatch.setattr(LogTable, "refresh", noted, raising=False)
        tab.widget._tick()
        await tab.settle()
        assert drawn == []
        clock.now += timedelta(seconds=1)
        tab.widget._tick()
        await tab.settle()
        assert {kind for kind, _, _ in drawn} <= {"Dag", "Gantt", "RunProgress"}
        for _, regions, how in drawn:
            assert [region.height for region in regions] == [1]
            assert not how.get("layout")


@in_loop
async def test_nothing_is_read_while_another_tab_is_open(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(1))
        assert tab.widget._timer._active.is_set()
        tab.widget.display = False
        await tab.pilot.pause()
        assert not tab.widget._timer._active.is_set()
        tab.widget.display = True
        await tab.pilot.pause()
        assert tab.widget._timer._active.is_set()


@in_loop
async def test_a_log_that_cannot_be_read_says_why_and_keeps_its_lines(run, opened):
    run.logs("Train", "one")
    async with opened() as tab:
        ask = tab.link.ask

        async def failing(call):
            raise EnvironmentNotReady("The logs are [red]away[/].", hint="Wait.")

        tab.link.ask = failing
        await tab.show(run.trains(1))
        assert log_of(tab) == ["The logs are [red]away[/]. Wait."]
        tab.link.ask = ask
        await tab.press("R")
        await tab.settle()
        assert log_of(tab)[0].endswith("one")
        tab.link.ask = failing
        await tab.press("R")
        await tab.settle()
        assert log_of(tab)[0].endswith("one")
        assert "away" in tab.text


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
