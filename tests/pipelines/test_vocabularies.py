"""Vocabulary statistics, worked out by hand."""

import numpy as np
import pytest

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.vocabularies import vocabularies, vocabulary  # noqa: E402
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec  # noqa: E402


def test_the_shares_are_of_rows_and_of_set_values():
    """Held out: 2 of 8 rows are missing, 2 of the 6 set values are unknown, 4 rows are known."""
    found = vocabulary(np.array([1, 2, 3, 0]), np.array([1, 2, 3, 3, 4, 4, 0, 0]), 3)
    assert found.size == 3
    assert found.oov_share == pytest.approx(2 / 6)
    assert found.coverage == 4 / 8
    assert found.missing_share == 1 / 4


def test_a_row_with_a_list_is_covered_when_one_value_is_known():
    held_out = np.array([[1, 9, 0], [9, 9, 0], [0, 0, 0], [2, 0, 0]])
    found = vocabulary(np.array([[1, 2], [0, 0]]), held_out, 2)
    assert found.oov_share == pytest.approx(3 / 5)
    assert found.coverage == 2 / 4
    assert found.missing_share == 1 / 2


def test_a_column_without_values_is_missing_everywhere():
    """TFT keeps place for one token, so an unknown value has the id 2."""
    found = vocabulary(np.zeros(3, int), np.array([0, 0, 2, 2]), 0)
    assert (found.size, found.oov_share, found.coverage, found.missing_share) == (0, 1, 0, 1)
    nothing = vocabulary(np.zeros(3, int), np.zeros(2, int), 0)
    assert (nothing.oov_share, nothing.coverage) == (0, 0)


def test_every_column_with_a_vocabulary_has_its_own_ids():
    splits = {
        "train": small_examples(40),
        "eval": small_examples(30, seed=1, unknown=0.5),
        "test": small_examples(30, seed=2, unknown=0.5),
    }
    found = vocabularies(small_spec().features, splits, VOCABULARIES)
    assert set(found) == {"buyer", "product", "kind"}  # not price, which has buckets
    assert {name: v.size for name, v in found.items()} == VOCABULARIES
    products = np.concatenate([splits[s].candidate.ids[:, 1] for s in ("eval", "test")])
    assert found["product"].coverage == np.mean(products <= 12)
    assert found["product"].oov_share == pytest.approx(np.mean(products == 13))
    kinds = splits["train"].candidate.ids[:, 2]
    assert found["kind"].missing_share == np.mean(kinds == 0)
