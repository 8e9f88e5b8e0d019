"""Histograms, gradient statistics and vocabulary statistics of arrays, worked out by hand."""

import json
import time

import numpy as np
import pytest

from pipelines.distributions import MAX_BINS, Counts, Distributions, GradientMoments, histogram


def floats(*values):
    return np.array(values, np.float32)


def test_a_histogram_counts_every_value_in_its_bin():
    """From -1 to 3 a bin of 1/8 is the narrowest power of two that gives no more than 48 bins."""
    found = histogram([Counts.of([floats(-1, 0.5, 0.5), floats(3)])])
    assert found.edges == tuple(np.arange(-1, 3.126, 0.125))
    assert len(found.counts[0]) == 33 <= MAX_BINS
    assert {i: n for i, n in enumerate(found.counts[0]) if n} == {0: 1, 12: 2, 32: 1}


def test_a_value_on_an_edge_belongs_to_the_bin_that_begins_there():
    """The same rule everywhere: bins of different grids add up."""
    counts = Counts.of([floats(-0.25, 0, 0.25, 0.2499, 1)]).at(-2)
    assert (counts.first, counts.counts.tolist()) == (-1, [1, 2, 1, 0, 0, 1])


def test_all_epochs_share_the_bins_whatever_their_range():
    rng = np.random.default_rng(0)
    epochs = [rng.normal(scale=s, size=10_000).astype(np.float32) for s in (0.01, 0.3, 2)]
    found = histogram([Counts.of([values]) for values in epochs])
    assert len(found.edges) <= MAX_BINS + 1
    for counts, values in zip(found.counts, epochs, strict=True):
        expected, _ = np.histogram(values, found.edges)
        assert list(counts) == expected.tolist()


def test_a_few_large_values_leave_the_others_in_bins_of_their_own():
    rng = np.random.default_rng(1)
    values = np.append(rng.normal(size=100_000), [1e3, 2e3, -500])
    found = histogram([Counts.of([values])])
    expected, _ = np.histogram(values, found.edges)
    assert list(found.counts[0]) == expected.tolist()
    assert found.edges[0] <= -500
    assert found.edges[-1] > 2e3
    assert set(np.diff(found.edges[1:-1])) == {1}
    assert len(found.edges) > 7


@pytest.mark.parametrize(
    "values", [[], [floats()], [floats(0, 0)], [floats(np.nan, np.inf, 0)], [floats(1e-30)]]
)
def test_weights_that_are_all_nothing_have_a_histogram_too(values):
    found = histogram([Counts.of(values), Counts.of([floats(0, 0)])])
    assert sum(found.counts[1]) == 2
    assert len(found.edges) == len(found.counts[0]) + 1


def test_the_total_of_parts_is_what_counting_all_at_once_gives():
    parts = [floats(-3, 0.1), floats(0.001, 0.002), floats(7)]
    total, at_once = Counts.total([Counts.of([p]) for p in parts]), Counts.of(parts)
    assert (total.level, total.first) == (at_once.level, at_once.first)
    assert total.counts.tolist() == at_once.counts.tolist()


def distributions(epochs, planned):
    kept = Distributions(planned)
    for epoch in range(epochs):
        weights = {"query": {"dense": [floats(epoch)], "output": [floats(epoch, -1)]}}
        kept.add(epoch, weights, {"query": [floats(1)]})
    return kept.histograms()


def test_a_short_run_keeps_every_epoch():
    found = distributions(20, 20)
    assert found.epochs == tuple(range(20))
    query = found.towers["query"]
    assert {sum(row) for row in query.weights.counts} == {3}
    assert {sum(row) for row in query.gradients.counts} == {1}
    assert [sum(row) for row in query.layers["output"].counts] == [2] * 20
    assert list(query.layers) == ["dense", "output"]


@pytest.mark.parametrize(
    ("epochs", "planned", "kept"),
    [
        (21, 21, (0, 5, 10, 15, 20)),
        (23, 50, (0, 5, 10, 15, 20, 22)),
        (1, 50, (0,)),
        (2, 50, (0, 1)),
    ],
)
def test_a_long_run_keeps_the_first_every_fifth_and_the_last(epochs, planned, kept):
    found = distributions(epochs, planned)
    assert found.epochs == kept
    rows = found.towers["query"].layers["dense"]
    edges = np.array(rows.edges)
    for epoch, counts in zip(kept, rows.counts, strict=True):
        (bin_,) = np.nonzero(counts)[0]
        assert edges[bin_] <= epoch < edges[bin_ + 1]


def test_fifty_epochs_of_two_deep_towers_take_less_than_300_kb():
    rng = np.random.default_rng(2)
    kept = Distributions(50)
    for epoch in range(50):
        layers = {f"layer {i}": [rng.normal(size=(200, 64)) * (1 + epoch)] for i in range(10)}
        gradients = [rng.standard_cauchy(size=(200, 64))]
        kept.add(
            epoch,
            {"query": layers, "candidate": layers},
            {"query": gradients, "candidate": gradients},
        )
    found = kept.histograms()
    assert len(found.model_dump_json()) < 300_000
    assert json.loads(found.model_dump_json())["epochs"] == [*range(0, 50, 5), 49]


def test_counting_a_large_table_is_cheap():
    """68,000 x 128 weights: seconds of CPU, against the tens that an epoch over them takes."""
    table = np.random.default_rng(3).normal(size=(68_000, 128)).astype(np.float32)
    started = time.process_time()
    Counts.of([table])
    assert time.process_time() - started < 3


def test_gradient_statistics_are_over_all_elements_of_a_tower():
    """1, 2, 3 and -2: mean 1, variance (0 + 1 + 4 + 9) / 4."""
    moments = GradientMoments()
    moments.add([floats([1, 2]), np.array([[3.0], [-2.0]])])
    moments.add([floats(np.nan, 0)])
    stats = moments.stats()
    assert stats.mean == (1.0, 0.0)
    assert stats.std == (pytest.approx(3.5**0.5), 0.0)
    assert (stats.minimum, stats.maximum) == ((-2.0, 0.0), (3.0, 0.0))
