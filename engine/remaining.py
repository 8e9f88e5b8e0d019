"""How long a run still takes, from its own pace and from earlier runs. Pure functions.

While Train counts its steps, its own pace says it best: the share of Train that is done, loading
and what follows the epochs included, took the time since Train started. Before that, and after the
last step, the medians of earlier runs stand in, Train's scaled by rows x epochs; without any
earlier run nothing is known.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from engine.lifecycle import TRAINING_SHARES, share_of_train
from engine.spec.run_folder import ComponentName


@dataclass(frozen=True, slots=True)
class Timing:
    """When a component was at work; `status` as in `ComponentView`."""

    name: ComponentName
    status: str
    cached: bool
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """From start to end; None where either is unknown."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Work:
    """What a run computes with: the examples it trains on, over all epochs, and on which data."""

    dataset: str
    feature_config: str
    rows_train: int | None
    epochs: int

    @property
    def examples(self) -> int | None:
        """Rows x epochs; None where the rows are unknown."""
        return self.rows_train * self.epochs if self.rows_train else None

    def has_data_of(self, other: "Work") -> bool:
        """Whether dataset and feature config are the same."""
        return (self.dataset, self.feature_config) == (other.dataset, other.feature_config)


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A run and the times of its components."""

    work: Work
    components: tuple[Timing, ...]


def remaining_seconds(
    run: TimedRun, progress: float | None, earlier: Sequence[TimedRun], now: datetime
) -> float | None:
    """Return how many seconds a running experiment still takes, never below 0.

    Args:
        run: the experiment, with the states of its components.
        progress: share that is done, 0 to 1.
        earlier: completed runs of the same backend; those on the same data count alone, if any.
        now: the time.

    Returns:
        None when nothing is known.
    """
    if not run.components:
        return None
    alike = [other for other in earlier if other.work.has_data_of(run.work)] or earlier
    computed = any(c.status == "completed" and not c.cached for c in run.components)
    cached = [c.name for c in run.components if c.cached]
    total = 0.0
    for component in run.components:
        if component.status == "completed":
            continue
        if component.status not in ("pending", "running"):
            return None
        seconds = _by_pace(component, progress, cached, now)
        if seconds is None:
            seconds = _by_earlier(component, run.work, alike, now, computed=computed)
        if seconds is None:
            return None
        total += seconds
    return total


def _by_pace(
    component: Timing, progress: float | None, cached: Collection[str], now: datetime
) -> float | None:
    """Return the rest of Train while it counts steps; None elsewhere."""
    if component.name != "Train" or component.status != "running" or progress is None:
        return None
    share = share_of_train(progress, cached)
    first, last = TRAINING_SHARES
    if not first < share < last:
        return None
    return _elapsed(component, now) * (1 - share) / share


def _by_earlier(
    component: Timing, work: Work, earlier: Sequence[TimedRun], now: datetime, *, computed: bool
) -> float | None:
    """Return the rest of a component by what it took before.

    Args:
        component: pending or running.
        work: of its run.
        earlier: completed runs.
        now: the time.
        computed: whether the run found something not to be cached, so that what follows isn't.
    """
    found: list[float] = []
    for other in earlier:
        for timing in other.components:
            if timing.name != component.name or timing.seconds is None:
                continue
            if not (computed and timing.cached):
                found.append(timing.seconds * _scale(component.name, work, other.work))
    if not found:
        return None
    return max(median(found) - _elapsed(component, now), 0.0)


def _scale(name: ComponentName, work: Work, other: Work) -> float:
    if name != "Train" or work.examples is None or other.examples is None:
        return 1.0
    return work.examples / other.examples


def _elapsed(component: Timing, now: datetime) -> float:
    if component.started_at is None:
        return 0.0
    return max((now - component.started_at).total_seconds(), 0.0)
