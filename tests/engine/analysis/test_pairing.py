"""Differences of runs on the same test rows, computed by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest

from engine.analysis.pairing import differences, measure_together
from engine.analysis.test_rows import read_test_rows
from engine.errors import InvalidInput
from tests.engine.analysis.rows_files import file_of, rows_file

BUYERS = [0, 0, 1, 1, 2, 2, 3, 3]


def by_metric(run, other, **options):
    measured = measure_together([read_test_rows(run), read_test_rows(other)])
    found = differences(*measured, **options)
    return {difference.metric: difference for difference in found}


def test_recall_and_ndcg_are_means_over_the_rows():
    run = rows_file(BUYERS, rank=[0, 4, 9, 49, 99, 100, np.nan, 3])
    other = rows_file(BUYERS, rank=[5, 5, 100, 100, 100, 100, np.nan, np.nan])
    found = by_metric(run, other)
    assert found["recall_at_5"].value == pytest.approx(3 / 8)
    assert found["recall_at_10"].value == pytest.approx(4 / 8 - 2 / 8)
    assert found["recall_at_50"].value == pytest.approx(5 / 8 - 2 / 8)
    assert found["recall_at_100"].value == pytest.approx(6 / 8 - 2 / 8)
    gains = sum(1 / math.log2(2 + rank) for rank in (0, 4, 9, 3))
    assert found["ndcg_at_10"].value == pytest.approx((gains - 2 / math.log2(7)) / 8)
    assert list(found)[0] == "recall_at_100"
    assert "test_rmse" not in found


def test_a_tie_across_the_cut_counts_in_part():
    # 98 above and 3 level: the places 99 to 102, of which 2 are among the first 100.
    run = rows_file(BUYERS, rank=[99.5] * 8, rank_ties=[3.0] * 8)
    other = rows_file(BUYERS, rank=[99.5] * 8)  # of a version that kept no ties: a hit
    assert by_metric(run, other)["recall_at_100"].value == pytest.approx(0.5 - 1)


def test_errors_are_compared_on_rows_that_have_a_target_and_lower_is_better():
    label = [1, 2, 3, 4, 5, 6, 7, np.nan]
    run = rows_file(BUYERS, label=label, prediction=[1, 2, 3, 4, 5, 6, 9, 1])
    other = rows_file(BUYERS, label=label, prediction=[2, 3, 4, 5, 6, 7, 5, 1])
    found = by_metric(run, other)
    assert found["test_rmse"].value == pytest.approx(math.sqrt(4 / 7) - math.sqrt(10 / 7))
    assert found["test_mae"].value == pytest.approx(2 / 7 - 8 / 7)
    assert set(found) == {"test_rmse", "test_mae"}


def test_errors_of_different_targets_are_not_compared():
    run = rows_file(BUYERS, label=range(8), prediction=range(8), rank=range(8))
    other = rows_file(BUYERS, label=range(1, 9), prediction=range(8), rank=range(8))
    found = by_metric(run, other)
    assert "recall_at_100" in found
    assert not {"test_rmse", "test_mae"} & set(found)


def test_an_outcome_needs_an_interval_without_zero():
    buyers = np.repeat(np.arange(60), 10)
    rng = np.random.default_rng(0)
    base = rng.integers(50, 200, 600).astype(float)
    run, other = rows_file(buyers, rank=base - 40), rows_file(buyers, rank=base)
    assert by_metric(run, other)["recall_at_100"].outcome == "better"
    assert by_metric(other, run)["recall_at_100"].outcome == "worse"
    assert by_metric(run, run)["recall_at_100"].outcome == "no difference"


def test_several_comparisons_widen_the_interval():
    buyers = np.repeat(np.arange(60), 10)
    rng = np.random.default_rng(1)
    run = rows_file(buyers, rank=rng.integers(0, 200, 600))
    other = rows_file(buyers, rank=rng.integers(0, 200, 600))
    alone = by_metric(run, other)["recall_at_100"]
    among = by_metric(run, other, comparisons=3)["recall_at_100"]
    assert (alone.level, among.level) == (0.99, pytest.approx(1 - 0.01 / 3))
    assert among.high - among.low > alone.high - alone.low


def test_the_order_of_the_rows_does_not_matter():
    rows = read_test_rows(rows_file(BUYERS, rank=range(8)))
    table = pa.table(
        {
            "row_key": pa.array(range(7, -1, -1), pa.int64()),
            "buyer": [f"b{b}" for b in reversed(BUYERS)],
            "product": [f"p{i % 7}" for i in reversed(range(8))],
            "rank": pa.array(np.arange(7.0, -1, -1)),
        }
    )
    turned = read_test_rows(file_of(table))
    assert turned.same_as(rows)
    assert turned.measured["rank"].tolist() == rows.measured["rank"].tolist()


def test_other_rows_are_seen():
    rows = read_test_rows(rows_file(BUYERS, rank=range(8)))
    assert not rows.same_as(read_test_rows(rows_file(BUYERS[:-1], rank=range(7))))
    assert not rows.same_as(read_test_rows(rows_file([*BUYERS[:-1], 9], rank=range(8))))
    later = read_test_rows(rows_file(BUYERS, key_offset=5, rank=range(8)))
    assert rows.shared_with(later) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1 but nothing else PAR1",
        rows_file(BUYERS, rank=range(8))[:-20],
        file_of(pa.table({"row_key": [1]})),
        file_of(pa.table({"row_key": ["x"], "buyer": ["b"], "product": ["p"]})),
        file_of(pa.table({"row_key": [1], "buyer": [None], "product": ["p"]})),
        file_of(pa.table({"row_key": [1], "buyer": ["b"], "product": ["p"], "rank": ["first"]})),
    ],
)
def test_damaged_rows_are_told_in_a_sentence(content):
    with pytest.raises(InvalidInput, match=r"^(The|Some) test rows .*\.$"):
        read_test_rows(content)
