"""Remaining time: hand-computed, never negative, unknown where nothing is known."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.remaining import TimedRun, Timing, Work, remaining_seconds
from engine.spec.run_folder import COMPONENT_NAMES

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WORK = Work("ratings", "basic", rows_train=1000, epochs=3)


def at(seconds):
    return START + timedelta(seconds=seconds)


def run(*spans, work=WORK, cached=()):
    """Return a run whose components took these (start, end); a missing end: running."""
    timings = []
    for i, name in enumerate(COMPONENT_NAMES):
        start, end = spans[i] if i < len(spans) else (None, None)
        status = "pending" if start is None else "running" if end is None else "completed"
        timings.append(
            Timing(
                name,
                status,
                name in cached,
                None if start is None else at(start),
                None if end is None else at(end),
            )
        )
    return TimedRun(work, tuple(timings))


EARLIER = run((0, 10), (10, 14), (14, 15), (15, 25), (25, 65))
"""10 + 4 + 1 + 10 + 40 seconds."""


@pytest.mark.parametrize(
    ("spans", "now", "expected"),
    [
        (((0, None),), 0, 65),
        (((0, None),), 4, 61),
        (((0, None),), 30, 55),
        (((0, 10), (10, None)), 11, 3 + 1 + 10 + 40),
        (((0, 10), (10, 14), (14, 15)), 15, 50),
        (((0, 10), (10, 14), (14, 15), (15, 25), (25, None)), 35, 30),
        (((0, 10), (10, 14), (14, 15), (15, 25), (25, None)), 300, 0),
    ],
)
def test_earlier_times_stand_in_for_what_is_not_done(spans, now, expected):
    assert remaining_seconds(run(*spans), 0.1, [EARLIER], at(now)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("share", "elapsed", "expected"),
    [(0.5, 20, 20), (0.25, 10, 30), (0.8, 40, 10), (0.06, 3, 47)],
)
@pytest.mark.parametrize("earlier", [[], [EARLIER]])
def test_steps_tell_the_pace(share, elapsed, expected, earlier):
    training = run((0, 10), (10, 14), (14, 15), (15, 25), (25, None))
    left = remaining_seconds(training, 0.35 + 0.65 * share, earlier, at(25 + elapsed))
    assert left == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.85, 0.95])
def test_outside_the_steps_earlier_runs_count(share):
    training = run((0, 10), (10, 14), (14, 15), (15, 25), (25, None))
    progress = 0.35 + 0.65 * share
    assert remaining_seconds(training, progress, [EARLIER], at(60)) == pytest.approx(5)
    assert remaining_seconds(training, progress, [], at(60)) is None


def test_training_is_scaled_by_rows_and_epochs():
    large = Work("ratings", "basic", rows_train=2000, epochs=6)
    pending = run((0, 10), (10, 14), (14, 15), (15, 25), work=large)
    assert remaining_seconds(pending, 0.35, [EARLIER], at(25)) == pytest.approx(160)
    unknown = Work("ratings", "basic", rows_train=None, epochs=6)
    pending = run((0, 10), (10, 14), (14, 15), (15, 25), work=unknown)
    assert remaining_seconds(pending, 0.35, [EARLIER], at(25)) == pytest.approx(40)


def test_runs_on_the_same_data_count_alone():
    other = Work("other", "basic", rows_train=1000, epochs=3)
    slow = run((0, 100), (100, 200), (200, 300), (300, 400), (400, 500), work=other)
    now = at(0)
    assert remaining_seconds(run((0, None)), 0, [slow, EARLIER], now) == pytest.approx(65)
    assert remaining_seconds(run((0, None)), 0, [slow], now) == pytest.approx(500)


def test_median_of_earlier_runs_counts():
    runs = [run(*[(0, seconds)] * 5) for seconds in (1, 2, 30)]
    assert remaining_seconds(run((0, None)), 0, runs, at(0)) == pytest.approx(10)


def test_cached_components_take_what_they_took_until_one_is_computed():
    cached = run((0, 0), (0, 0), (0, 0), (0, 0), (0, 40), cached=COMPONENT_NAMES[:4])
    found = [cached, cached, EARLIER]
    assert remaining_seconds(run((0, None)), 0, found, at(0)) == pytest.approx(40)
    computed = run((0, 10), (10, None))
    assert remaining_seconds(computed, 0.15, found, at(10)) == pytest.approx(4 + 1 + 10 + 40)


def test_nothing_is_known_without_earlier_runs_or_components():
    assert remaining_seconds(run((0, None)), 0, [], at(5)) is None
    assert remaining_seconds(TimedRun(WORK, ()), 0, [EARLIER], at(5)) is None


def test_clock_that_went_back_gives_no_more_than_the_whole():
    assert remaining_seconds(run((0, None)), 0, [EARLIER], at(-50)) == pytest.approx(65)
