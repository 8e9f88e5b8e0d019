"""Comparing experiments through `Engine`: the table, the pairs, and what is refused."""

import pytest
from click.testing import CliRunner
from sqlalchemy import delete

from engine.cli import towerlab
from engine.errors import InvalidInput, NotAllowed, NotFound
from engine.spec.run_folder import Rows
from engine.store.models import DocumentRow
from tests.engine.analysis.laboratory import Laboratory
from tests.engine.analysis.rows_files import rows_file
from tests.engine.sample_plans import DEFINITIONS, REQUEST
from tests.engine.scripted_backend import metrics_of

BUYERS = [i // 10 for i in range(600)]
RANKS = [(37 * i) % 200 for i in range(600)]


@pytest.fixture
def laboratory(tmp_path):
    (tmp_path / "config.toml").write_text("")
    made = Laboratory(tmp_path)
    yield made
    made.engine.close()


def row(comparison, key):
    return next(row for s in comparison.sections for row in s.rows if row.key == key)


def test_a_better_run_is_told_with_its_paired_interval(laboratory):
    first = laboratory.completed(rows=rows_file(BUYERS, rank=RANKS))
    better = laboratory.completed(
        rows=rows_file(BUYERS, rank=[max(0, r - 30) for r in RANKS]),
        metrics=metrics_of(recall=0.25),
        learning_rate=0.05,
    )
    found = laboratory.engine.compare([first, better])
    assert found.baseline == first
    (pair,) = found.pairs
    assert pair.primary.metric == "recall_at_100"
    assert pair.primary.outcome == "better"
    assert pair.verdict.startswith(f"#{better} is better than #{first}: Recall@100 +0.1")
    assert found.against_baseline(better) is pair
    assert found.against_baseline(first) is None
    recall = row(found, "recall_at_100")
    assert [cell.best for cell in recall.cells] == [False, True]
    assert [cell.text for cell in recall.cells] == ["0.200 ±0.010", "0.250 ±0.010"]
    assert row(found, "learning_rate").differs
    assert not row(found, "buyer_tower").differs
    assert row(found, "over_baseline").cells[0].text == "+33% (+20% to +47%, popularity)"


def test_equal_runs_show_no_difference_and_say_what_cannot_be_excluded(laboratory):
    rows = rows_file(BUYERS, rank=RANKS)
    numbers = [laboratory.completed(rows=rows) for _ in range(2)]
    (pair,) = laboratory.engine.compare(numbers).pairs
    assert pair.primary.outcome == "no difference"
    assert pair.verdict.startswith("No difference between #2 and #1 that these test rows can show")


def test_every_pair_is_compared_those_with_the_baseline_first(laboratory):
    rows = rows_file(BUYERS, rank=RANKS)
    numbers = [laboratory.completed(rows=rows) for _ in range(4)]
    found = laboratory.engine.compare(numbers, baseline=3)
    assert [(p.number, p.against) for p in found.pairs] == [
        (1, 3),
        (2, 3),
        (4, 3),
        (2, 1),
        (4, 1),
        (4, 2),
    ]
    assert [p.primary.level for p in found.pairs] == [pytest.approx(1 - 0.01 / 3)] * 6


def test_other_test_rows_are_no_basis_for_a_claim(laboratory):
    first = laboratory.completed(rows=rows_file(BUYERS, rank=RANKS), sample_percent=10)
    other = laboratory.completed(
        rows=rows_file(BUYERS[:500], key_offset=300, rank=RANKS[:500]), sample_percent=25
    )
    (pair,) = laboratory.engine.compare([first, other]).pairs
    assert pair.differences == ()
    assert pair.verdict == (
        f"No claim about #{other} against #{first}: they were tested on other rows"
        " (sample 25% against 10%; of 500 and 600 test rows 300 are common to both)."
    )


def test_equal_test_rows_of_runs_on_different_training_data_are_compared_with_a_note(laboratory):
    rows = rows_file(BUYERS, rank=RANKS)
    first = laboratory.completed(rows=rows, sample_percent=10)
    other = laboratory.completed(rows=rows, sample_percent=25)
    (pair,) = laboratory.engine.compare([first, other]).pairs
    assert pair.primary.outcome == "no difference"
    assert pair.verdict.endswith(" They were trained on different data: sample 25% against 10%.")


def test_an_edited_dataset_is_told_with_what_was_edited(laboratory):
    rows = rows_file(BUYERS, rank=RANKS)
    first = laboratory.completed(rows=rows)
    dataset = {"primary": "ratings", "filters": [{"last_days": 30}]}
    laboratory.planner.edited = {
        "definitions": {**DEFINITIONS, "dataset": dataset},
        "definition_hashes": {"dataset": "d2", "feature_config": "f1", "model_config": "m1"},
    }
    other = laboratory.completed(rows=rows)
    (pair,) = laboratory.engine.compare([first, other]).pairs
    assert "dataset ratings was edited in between (filters)" in pair.verdict


def test_too_few_test_rows_are_no_basis(laboratory):
    rows = rows_file(BUYERS[:99], rank=RANKS[:99])
    few = metrics_of().replace(rows=Rows(train=800, eval=150, test=99))
    numbers = [laboratory.completed(rows=rows, metrics=few) for _ in range(2)]
    found = laboratory.engine.compare(numbers)
    (pair,) = found.pairs
    assert pair.verdict == (
        "No claim about #2 against #1: 99 test rows are too few to conclude anything."
    )
    assert row(found, "over_baseline").cells[0].text == "–"


def test_an_interval_without_width_shows_nothing_about_chance(laboratory):
    one_buyer = [0] * 300
    first = laboratory.completed(rows=rows_file(one_buyer, rank=[0] * 300))
    other = laboratory.completed(rows=rows_file(one_buyer, rank=[200] * 300))
    (pair,) = laboratory.engine.compare([first, other]).pairs
    assert pair.primary.outcome == "no difference"
    assert pair.verdict == (
        "No difference between #2 and #1 that these test rows can show: Recall@100 -1.0000, with an"
        " interval without width, which shows nothing about chance."
    )


def test_the_losses_of_different_models_are_not_ranked(laboratory):
    rows = rows_file(BUYERS, rank=RANKS)
    lower = metrics_of().replace(final_metrics={"loss": 1.0, "recall_at_100": 0.2})
    numbers = [
        laboratory.completed(rows=rows),
        laboratory.completed(rows=rows, metrics=lower),
    ]
    loss = row(laboratory.engine.compare(numbers), "loss")
    assert loss.differs
    assert not any(cell.best for cell in loss.cells)


def test_models_without_a_common_metric_are_no_basis_either(laboratory):
    first = laboratory.completed(rows=rows_file(BUYERS, rank=RANKS))
    other = laboratory.completed(rows=rows_file(BUYERS, label=RANKS, prediction=RANKS))
    (pair,) = laboratory.engine.compare([first, other]).pairs
    assert "have no metric in common" in pair.verdict


def test_rows_that_are_gone_or_damaged_are_told_and_the_table_is_shown(laboratory):
    kept = laboratory.completed(rows=rows_file(BUYERS, rank=RANKS))
    gone, damaged = laboratory.completed(), laboratory.completed(rows=b"PAR1 nothing PAR1")
    found = laboratory.engine.compare([kept, gone, damaged])
    assert "the test rows of #2 are not there any more" in found.against_baseline(gone).verdict
    assert "of #3: The test rows cannot be read" in found.against_baseline(damaged).verdict
    assert row(found, "took").cells[2].text == "1:00"


def test_what_cannot_be_compared_is_refused(laboratory):
    first = laboratory.completed(rows=rows_file(BUYERS, rank=RANKS))
    waiting = laboratory.engine.create(REQUEST).number
    for numbers, baseline, error, told in (
        ([first], None, InvalidInput, "2 to 4 experiments"),
        ([first] * 5, None, InvalidInput, "2 to 4 experiments"),
        ([first, first], None, InvalidInput, "#1 is named twice"),
        ([first, waiting], 9, InvalidInput, "The baseline #9"),
        ([first, 99], None, NotFound, "no experiment #99"),
        ([first, waiting], None, NotAllowed, "#2 has no result to compare: it is submitting"),
    ):
        with pytest.raises(error, match=told):
            laboratory.engine.compare(numbers, baseline=baseline)


@pytest.mark.parametrize(
    ("gone", "missing"),
    [("spec", "what it ran with"), ("definitions", "what it ran with"), ("metrics", "its result")],
)
def test_a_run_whose_documents_are_gone_is_told_with_what_to_do(laboratory, gone, missing):
    numbers = [laboratory.completed(rows=rows_file(BUYERS, rank=RANKS)) for _ in range(2)]
    with laboratory.engine._database.write() as session:
        session.execute(delete(DocumentRow).where(DocumentRow.kind == gone))
    with pytest.raises(NotAllowed, match=f"#1 can't be compared: {missing} is no longer") as told:
        laboratory.engine.compare(numbers)
    assert "towerlab run --feature-config basic --model-config " in told.value.hint
    if gone == "definitions":
        with pytest.raises(InvalidInput, match="What experiment #2 ran with is no longer"):
            laboratory.engine.rerun(2)


def test_only_completed_experiments_are_selectable(laboratory):
    laboratory.engine.create(REQUEST)
    done = laboratory.completed()
    found = laboratory.engine.selectable()
    assert [item.number for item in found.items] == [done]
    assert found.total == 1


@pytest.mark.parametrize("options", [(), ("--differences",)])
def test_differences_alone_leave_out_what_is_the_same(laboratory, tmp_path, options):
    for epochs in (3, 7):
        laboratory.completed(rows=rows_file(BUYERS, rank=RANKS), epochs=epochs)
    asked = ["--workspace", str(tmp_path), "compare", "1", "2", *options]
    shown = CliRunner().invoke(towerlab, asked, env={"COLUMNS": None})
    told = [line.split() for line in shown.stdout.splitlines()]
    assert ["epochs", "3", "3", "of", "7"] in told
    assert (["dataset", "ratings", "same"] in told) == (not options)
