"""The Training tab in every state of a run, over databases that `Engine` and services wrote."""

import re

import pytest

from engine.errors import EnvironmentNotReady
from engine.spec.run_folder import HISTOGRAMS as HISTOGRAMS_FILE
from engine.spec.run_folder import Histogram, Histograms, TowerHistograms, Vocabulary
from tests.engine.scripted_backend import at_component, ended, epoch_records, failure, metrics_of
from tests.tui.harness import EPOCHS, SMALL, WIDE, Opened, in_loop
from tests.tui.hostile import check
from tui.link import Link
from tui.screens import training_tab
from tui.screens.training_tab import TrainingTab
from tui.widgets.line_chart import LineChart


@pytest.fixture
def opened(run):
    def opening(**how):
        return Opened(TrainingTab, Link(run.root, readonly=True), run.number, **how)

    return opening


@in_loop
async def test_before_the_first_epoch_it_says_what_happens(run, opened):
    async with opened() as tab:
        await tab.show(run.is_at(at_component(3)))
        assert "Waiting for the first epoch" in tab.text
        assert "Now  Transform" in tab.text
        assert "Loss" not in tab.text


@in_loop
async def test_while_it_trains_the_curves_grow_by_themselves(run, opened):
    seen = run.trains(1)
    async with opened() as tab:
        await tab.show(seen)
        assert "epoch 1 of 5   train 10.000   val 11.000   1,000 examples/s" in tab.text
        assert "●" in tab.text.split("Gradient norm")[0].partition("\n")[2], "a visible marker"
        assert "Recall@K is measured on the test split at the end." in tab.text
        assert "The result comes after the last epoch." in tab.text
        run.trains(2)
        tab.widget._poll()
        await tab.settle()
        assert "epoch 2 of 5   train 9.000   val –" in tab.text


@in_loop
async def test_polls_do_not_overlap_and_end_with_the_run(run, opened):
    seen = run.completes()
    async with opened() as tab:
        asked = []
        ask = tab.link.ask

        async def counted(call):
            asked.append(call)
            return await ask(call)

        tab.link.ask = counted
        tab.widget.show(seen)
        tab.widget._poll()
        tab.widget._poll()
        assert len(asked) <= 1
        await tab.settle()
        before = len(asked)
        tab.widget._poll()
        await tab.settle()
        assert len(asked) == before


@in_loop
async def test_nothing_is_asked_for_while_another_tab_is_open(run, opened, monkeypatch):
    monkeypatch.setattr(training_tab, "_POLL_SECONDS", 3600)  # it polls when the test says so
    async with opened() as tab:
        await tab.show(run.trains(1))
        tab.widget.display = False
        await tab.pilot.pause()
        run.trains(2)
        tab.widget._poll()
        await tab.settle()
        tab.widget.display = True
        await tab.pilot.pause()
        assert "epoch 1 of 5" in tab.text


@in_loop
async def test_completed_run_shows_recall_beside_its_baseline_and_the_result(run, opened):
    async with opened() as tab:
        await tab.show(run.completes())
        text = tab.text
        assert "Recall@100 0.2000      0.1500        +0.0500" in text
        assert "Recall@100 0.2000 ±0.0100  95% interval 0.1900 to 0.2100" in text
        assert "▲ above popularity" in text
        assert "500 test rows" in text
        assert "popularity ○" in text
        assert "Recall@100 of 0.2000 is above" in text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.03, "▲ above popularity"),
        (-0.03, -0.01, "▼ below popularity"),
        (-0.01, 0.03, "≈ not distinguishable from popularity"),
        (0.01, 0.01, "≈ not distinguishable from popularity"),
    ],
)
@in_loop
async def test_comparison_is_told_in_words(run, opened, low, high, words):
    async with opened() as tab:
        await tab.show(run.completes(low=low, high=high))
        assert words in tab.text


@in_loop
async def test_failed_run_keeps_its_curves_and_says_where_it_ended(run, opened):
    async with opened() as tab:
        hostile = "out of \x1b[2J[bold]memory[/]"
        await tab.show(run.ends("failed", epochs=2, error=failure(hostile)))
        text = tab.text
        assert "✖ Failed in Train after epoch 2 of 5" in text
        assert "out of ␛[2J[bold]memory[/]" in text
        assert "Use a smaller batch." in text
        assert "No Recall@K: the run ended before" in text
        assert "train ●" in text


@in_loop
async def test_run_that_failed_before_training_shows_only_why(run, opened):
    async with opened() as tab:
        await tab.show(run.ends("failed", epochs=0, error=failure(component="Transform")))
        assert "✖ Failed in Transform before its first epoch" in tab.text
        assert "Loss" not in tab.text


@in_loop
async def test_cancelled_run_keeps_its_curves(run, opened):
    async with opened() as tab:
        await tab.show(run.ends("cancelled", epochs=3))
        assert "⊘ Cancelled after epoch 3 of 5" in tab.text
        assert "train ●" in tab.text


@in_loop
async def test_problem_is_shown_in_place_and_the_curves_stay(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(2))

        async def failing(call):
            raise EnvironmentNotReady("The database is [red]gone[/].", hint="Look for it.")

        ask, tab.link.ask = tab.link.ask, failing
        tab.widget._poll()
        await tab.settle()
        assert "The database is [red]gone[/]." in tab.text
        assert "Look for it." in tab.text
        assert "epoch 2 of 5" in tab.text
        tab.link.ask = ask
        tab.widget._poll()
        await tab.settle()
        assert "gone" not in tab.text


@in_loop
async def test_small_terminal_shows_a_page_at_a_time(run, opened):
    async with opened(size=SMALL) as tab:
        await tab.show(run.trains(3))
        titles = (
            "Loss  (1 of 7, c next)",
            "Recall@K  (2 of 7, c next)",
            "Gradient norm  (3 of 7, c next)",
            "Epochs  (4 of 7, c next)",
            "Weight norm, L2  (5 of 7, c next)",
            "Histograms  (6 of 7, c next)",
            "Vocabularies  (7 of 7, c next)",
        )
        for title in (*titles, titles[0]):
            assert title in tab.text
            await tab.press("c")
        await tab.press("C", "C")
        assert titles[-1] in tab.text


@in_loop
async def test_small_terminal_begins_with_the_result_of_a_run_that_has_ended(run, opened):
    async with opened(size=SMALL) as tab:
        await tab.show(run.completes())
        assert "Result  (1 of 7, c next)" in tab.text
        await tab.press("c", "c")
        assert "Recall@K  (3 of 7, c next)" in tab.text
        assert "95% interval 0.1900 to 0.2100" in tab.text


@in_loop
async def test_weights_and_vocabularies_come_when_the_trainer_has_ended(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(3))
        await tab.press("c")
        for what in ("norms of the weights", "histograms", "vocabularies"):
            assert f"The {what} come when the Trainer has ended." in tab.text


@in_loop
async def test_weight_norms_are_drawn_by_tower_and_read_with_the_arrows(run, opened):
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.press("c", "left")
        assert "Weight norm, L2   query ○  candidate ×" in tab.text
        assert "Weight norm, L1   query ○  candidate ×" in tab.text
        assert "epoch 4 of 5   query L2 2.00 L1 1   candidate L2 2.00 L1 1" in tab.text
        await tab.press("c")
        assert "epoch 4 of 5   train 7.000" in tab.text


HISTOGRAMS = Histograms(
    epochs=(0, 2, 4),
    towers={
        "query": TowerHistograms(
            weights=Histogram(edges=(-1, 0, 1), counts=((30, 10), (20, 20), (10, 30))),
            gradients=Histogram(edges=(-0.5, 0, 0.5), counts=((5, 5),) * 3),
            layers={"[b]dense[/]": Histogram(edges=(0, 2, 4), counts=((4, 4),) * 3)},
        ),
        "candidate": TowerHistograms(
            weights=Histogram(edges=(-8, 0, 8), counts=((1, 1),) * 3),
            gradients=Histogram(edges=(-0.5, 0, 0.5), counts=((0, 0),) * 3),
        ),
    },
)


def keep_histograms(run, histograms=HISTOGRAMS):
    folder = run.shop.workspace.run_folder(run.uid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HISTOGRAMS_FILE).write_text(histograms.model_dump_json())


@in_loop
async def test_histograms_are_asked_for_when_they_are_looked_at(run, opened):
    keep_histograms(run)
    async with opened(size=SMALL) as tab:
        await tab.show(run.completes())
        assert tab.widget._histograms is None
        await tab.press("C", "C")
        await tab.settle()
        assert "Weights, query tower  (6 of 7, c next)  all layers" in tab.text
        assert "epoch 5  5% -0.800  median 0.333  95% 0.933  of 40" in tab.text
        await tab.press("left", "left")
        assert "epoch 3  5% -0.900  median 0.000  95% 0.900  of 40" in tab.text
        await tab.press("l")
        assert "[b]dense[/] 1/1" in tab.text
        await tab.press("t")
        assert "Gradients, query tower" in tab.text
        assert ", l layer" not in tab.text
        await tab.press("t", "t", "t")
        assert "Weights, query tower" in tab.text


@in_loop
async def test_histograms_that_are_not_there_say_why(run, opened):
    async with opened() as tab:
        await tab.show(run.completes())
        await tab.press("c")
        await tab.settle()
        assert "has no histograms" in tab.text
        assert "towerlab rerun 1" in tab.text
        keep_histograms(run)
        await tab.press("c", "c")
        await tab.settle()
        assert "Weights, query tower" in tab.text


@in_loop
async def test_vocabularies_show_size_and_what_train_does_not_know(run, opened):
    found = {
        "item": Vocabulary(size=1_234, oov_share=0.4, coverage=0.55, missing_share=0.05),
        "[i]x": Vocabulary(size=2, oov_share=0.0, coverage=1.0, missing_share=0.0),
    }
    run.backend.trained[run.uid] = epoch_records(EPOCHS)
    run.backend.results[run.uid] = metrics_of(EPOCHS).replace(vocabularies=found)
    async with opened() as tab:
        await tab.show(run.is_at(ended("completed")))
        await tab.press("c")
        assert re.search(r"item +1,234 +!40\.0% +55\.0% +5\.0%", tab.text)
        assert re.search(r"\[i\]x +2 +0\.0% +100\.0% +0\.0%", tab.text)


@in_loop
async def test_arrows_move_the_read_out_and_the_newest_is_followed_again(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(3))
        await tab.press("left")
        assert "epoch 2 of 5   train 9.000" in tab.text
        await tab.press("left", "left", "left")
        assert "epoch 1 of 5   train 10.000" in tab.text
        await tab.press("right", "right", "right")
        assert "epoch 3 of 5" in tab.text
        run.trains(4)
        tab.widget._poll()
        await tab.settle()
        assert "epoch 4 of 5" in tab.text


@in_loop
async def test_moving_the_read_out_and_hovering_build_no_chart(run, opened):
    async with opened() as tab:
        await tab.show(run.completes())
        charts = list(tab.app.query(LineChart))
        built = [chart.built for chart in charts]
        await tab.press("left", "left")
        await tab.pilot.hover(charts[0])
        for chart in charts:
            chart.refresh()
        tab.app.theme = "towerlab-light"
        await tab.pilot.pause()
        assert [chart.built for chart in charts] == built


@in_loop
async def test_log_scale_turns_on_and_off_and_says_when_it_cannot(run, opened):
    async with opened() as tab:
        await tab.show(run.trains(3))
        await tab.press("L")
        assert "Loss, log" in tab.text
        await tab.press("L")
        assert "Loss, log" not in tab.text


@pytest.mark.parametrize("size", [(60, 12), SMALL, WIDE, (200, 56), (100, 22), (20, 4)])
@pytest.mark.parametrize("theme", ["towerlab-dark", "towerlab-light", "towerlab-16"])
@in_loop
async def test_every_size_and_theme_is_drawn(run, opened, size, theme):
    async with opened(size=size, theme=theme) as tab:
        await tab.show(run.completes())
        assert "Result" in tab.text or size[1] < 5


@in_loop
async def test_ascii_draws_nothing_else(run, opened):
    async with opened(ascii=True) as tab:
        await tab.show(run.completes())
        await tab.press("left")
        assert tab.text.isascii()
        assert "^ above popularity" in tab.text


@in_loop
@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_names_that_a_run_made_up_are_drawn_literally(run, opened, size):
    hostile = "val_[b]\x1b]0;owned\x07\u202e{x}"
    one = Histogram(edges=(-1.0, 0.0, 1.0), counts=((1, 1),) * EPOCHS)
    layers = TowerHistograms(weights=one, gradients=one, layers={hostile: one})
    histograms = Histograms(epochs=tuple(range(EPOCHS)), towers={"query": layers})
    keep_histograms(run, histograms)
    metrics = metrics_of(EPOCHS)
    run.backend.results[run.uid] = metrics.replace(
        epoch_metrics={hostile: (0.5,) * EPOCHS},
        final_metrics=metrics.final_metrics | {hostile: 0.5},
        params={hostile: hostile},
        vocabularies={hostile: Vocabulary(size=3, oov_share=0, coverage=1, missing_share=0)},
    )
    async with opened(size=size) as tab:
        await tab.show(run.is_at(ended("completed")))
        seen = 0
        for _ in range(8):
            check(tab.app)
            seen += "[b]␛" in tab.text
            await tab.press("c", "l")
            await tab.settle()
        assert seen
