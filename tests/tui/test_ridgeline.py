"""Ridges of histograms: what is drawn where, and what is left out."""

import pytest

from engine.spec.run_folder import Histogram
from tui.look import Look
from tui.widgets.ridgeline import Ridges, _picture, quantile, span_of


def drawn(histogram, *, width=46, height=14, read=None, ascii=False):
    epochs = tuple(range(1, len(histogram.counts) + 1))
    ridges = Ridges(epochs, histogram)
    return [
        line.plain for line in _picture(ridges, read, width, height, Look(ascii=ascii), tinted=True)
    ]


def test_every_line_is_as_wide_as_its_room_and_every_epoch_has_its_label():
    lines = drawn(Histogram(edges=(-2, -1, 0, 1, 2), counts=((1, 4, 4, 1),) * 5))
    assert len(lines) == 14
    assert {len(line) for line in lines} == {46}
    assert [line[:6].split() for line in lines[:12] if line[:6].strip()] == [
        ["1"],
        ["2"],
        ["3"],
        ["4"],
        ["5"],
    ]
    assert lines[-1].split()[0] == "epoch"


def test_a_ridge_stands_where_its_elements_are_and_its_tails_are_left_out():
    counts = (0,) * 30 + (5,) + (0,) * 9
    lines = drawn(Histogram(edges=tuple(range(41)), counts=(counts,)))
    ridge = [line[6:] for line in lines[:-2]]
    cells = {x for line in ridge for x, cell in enumerate(line) if cell != " "}
    assert 27 <= min(cells) <= 30
    assert 30 <= max(cells) <= 32


def test_what_a_nearer_ridge_covers_is_not_drawn():
    flat, low = (0, 0, 1, 0, 0), (1, 1, 1, 1, 1)
    alone = drawn(Histogram(edges=tuple(range(6)), counts=(low, flat)))
    covered = drawn(Histogram(edges=tuple(range(6)), counts=(low, tuple(9 * n for n in low))))
    dots = sum(cell not in " 12" for line in alone[:-2] for cell in line[6:])
    fewer = sum(cell not in " 12" for line in covered[:-2] for cell in line[6:])
    assert fewer < dots


def test_the_epoch_that_is_read_is_always_drawn():
    histogram = Histogram(edges=(0, 1, 2), counts=((1, 2),) * 40)
    assert "24" not in {line[:6].strip() for line in drawn(histogram)}
    assert "24" in {line[:6].strip() for line in drawn(histogram, read=23)}


def test_wide_outer_bins_are_left_out():
    histogram = Histogram(edges=(-9, -2, -1, 0, 1, 2, 9), counts=((1, 9, 9, 9, 9, 1),))
    assert span_of(histogram) == (-2, 2)
    even = Histogram(edges=(-2, -1, 0, 1, 2), counts=((1, 1, 1, 1),))
    assert span_of(even) == (-2, 2)


@pytest.mark.parametrize(("share", "value"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (1.0, 4.0)])
def test_quantiles_are_even_within_bins(share, value):
    histogram = Histogram(edges=(0, 2, 3, 4), counts=((4, 0, 4),))
    assert quantile(histogram, 0, share) == pytest.approx(value)


def test_quantiles_pass_empty_bins():
    histogram = Histogram(edges=(0, 1, 2, 3), counts=((0, 0, 4),))
    assert quantile(histogram, 0, 0.5) == pytest.approx(2.5)


def test_ascii_shows_density_as_characters():
    histogram = Histogram(edges=(0, 1, 2, 3), counts=((0, 9, 0), (3, 3, 3)))
    lines = drawn(histogram, ascii=True)
    assert all(line.isascii() for line in lines)
    assert "@" in lines[0]
    assert set(lines[6][6:].strip()) == {"-"} or set(lines[6][6:].strip()) <= set(".:-=")


@pytest.mark.parametrize("height", [5, 6, 9, 30])
@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_every_number_of_epochs_is_drawn_at_every_height(height, count):
    histogram = Histogram(edges=(0, 1, 2), counts=((1, 2),) * count)
    for read in (None, 0, count // 2, count - 1):
        assert len(drawn(histogram, height=height, read=read)) == height


def test_nothing_counted_draws_no_ridge():
    lines = drawn(Histogram(edges=(-1, 0, 1), counts=((0, 0), (0, 0))))
    assert not any(line[6:].strip() for line in lines[:-2])
