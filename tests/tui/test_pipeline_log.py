"""The log of the Pipeline tab: what it shows and when it is read, its lines, search."""

from datetime import timedelta

from textual import events

from engine.errors import EnvironmentNotReady
from tests.engine.scripted_backend import START, at_component, training
from tests.tui.harness import EPOCHS, SMALL, in_loop
from tests.tui.pipeline_tab import TRACEBACK, clock, log_of, opened
from tui.widgets.line_block import LineBlock
from tui.widgets.log_table import LogTable

__all__ = ["clock", "opened"]


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
