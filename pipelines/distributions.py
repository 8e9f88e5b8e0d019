"""How weights and gradients are distributed, epoch by epoch, in bins that all epochs share.

The range is only known once training has ended. So each epoch is counted on a fine grid whose bins
are a power of two wide and start at 0: any coarser such grid is an exact sum of the finer one, and
at the end all epochs are brought to the same.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.spec.run_folder import (
    KEPT_EVERY,
    LONG_RUN_EPOCHS,
    GradientStats,
    Histogram,
    Histograms,
    TowerHistograms,
    TowerName,
)

Values = Sequence[NDArray[np.floating[Any]]]

MAX_BINS = 50
_FINE_BITS = 11
"""The value furthest from 0 is at least 2^10 bins of its epoch's grid away, and at most 2^11."""
_LOWEST_LEVEL = -40
"""Bins are at least 2^-40 wide: what is smaller is 0."""
_TAIL = 0.005
"""Share of the values on either side that may share one wide bin."""


@dataclass(frozen=True)
class Counts:
    """Counts on a grid: bin i holds [(first + i)·2^level, (first + i + 1)·2^level)."""

    level: int
    first: int
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: Values) -> "Counts":
        """Count the finite elements of arrays on the finest grid that has a place for all."""
        flat = [_finite(array) for array in values if array.size]
        low = min((float(array.min()) for array in flat if array.size), default=0.0)
        high = max((float(array.max()) for array in flat if array.size), default=0.0)
        _, exponent = math.frexp(max(-low, high))
        level = max(exponent - _FINE_BITS, _LOWEST_LEVEL)
        first, last = (math.floor(math.ldexp(value, -level)) for value in (low, high))
        counts = np.zeros(last - first + 1, np.int64)
        for array in flat:
            # Exact: the factor is a power of two.
            bins = np.floor(array * array.dtype.type(2.0**-level)).astype(np.int64)
            counts += np.bincount(bins - first, minlength=len(counts))
        return cls(level, first, counts)

    @classmethod
    def total(cls, parts: "Sequence[Counts]") -> "Counts":
        """Return the counts of the elements of all parts, as `of` would give them."""
        if not parts:
            return cls.of(())
        level = max(part.level for part in parts)
        rows = _aligned([part.at(level) for part in parts])
        return cls(level, rows[0].first, np.sum([row.counts for row in rows], axis=0))

    def at(self, level: int) -> "Counts":
        """Return the same counts on a coarser grid."""
        width = 1 << (level - self.level)
        first = self.first // width
        counts = np.zeros((self.first + len(self.counts) - 1) // width - first + 1, np.int64)
        bins = (self.first + np.arange(len(self.counts))) // width - first
        np.add.at(counts, bins, self.counts)
        return Counts(level, first, counts)

    def within(self, first: int, last: int) -> "Counts":
        """Return the counts on the same grid from bin `first` to bin `last`, which hold all."""
        left, right = self.first - first, last - (self.first + len(self.counts) - 1)
        return Counts(self.level, first, np.pad(self.counts, (left, right)))


def histogram(epochs: Sequence[Counts]) -> Histogram:
    """Return the counts of all epochs in at most `MAX_BINS` bins, the same for all.

    A few values far from the others share a wide outermost bin, instead of pushing all others
    into one.
    """
    level = max(counts.level for counts in epochs)
    rows = _aligned([counts.at(level) for counts in epochs])
    while True:
        total = np.sum([row.counts for row in rows], axis=0, dtype=np.float64)
        head, tail = _body(total)
        if tail - head <= MAX_BINS - 2:
            break
        level += 1
        rows = _aligned([row.at(level) for row in rows])
    cuts = sorted({0, *range(head, tail + 1), len(total)})
    edges = [math.ldexp(rows[0].first + cut, level) for cut in cuts]
    counts = (np.add.reduceat(row.counts, cuts[:-1]) for row in rows)
    return Histogram(edges=tuple(edges), counts=tuple(tuple(map(int, row)) for row in counts))


def _body(total: NDArray[np.float64]) -> tuple[int, int]:
    """Return from which bin to which (exclusive) all but the tails is."""
    share = np.cumsum(total) / max(total.sum(), 1.0)
    head = int(np.searchsorted(share, _TAIL, side="right"))
    tail = int(np.searchsorted(share, 1 - _TAIL, side="left")) + 1
    return min(head, len(total) - 1), min(max(tail, head + 1), len(total))


def _aligned(rows: Sequence[Counts]) -> list[Counts]:
    first = min(row.first for row in rows)
    last = max(row.first + len(row.counts) - 1 for row in rows)
    return [row.within(first, last) for row in rows]


def _finite(array: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    flat = np.ravel(array)
    return flat if np.isfinite(flat).all() else flat[np.isfinite(flat)]


class GradientMoments:
    """Mean, standard deviation, minimum and maximum of a tower's gradient, epoch by epoch."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float, float]] = []

    def add(self, gradient: Values) -> None:
        """Note one epoch's finite elements; a tower without a gradient has zeros."""
        flat = np.concatenate([np.zeros(0), *(_finite(part) for part in gradient)])
        flat = flat if flat.size else np.zeros(1)
        moments = (flat.mean(), flat.std(), flat.min(), flat.max())
        self._rows.append(tuple(float(value) for value in moments))  # pyright: ignore[reportArgumentType]

    def stats(self) -> GradientStats:
        """Return all epochs."""
        mean, std, low, high = zip(*self._rows, strict=True)
        return GradientStats(mean=mean, std=std, minimum=low, maximum=high)


class Distributions:
    """Counts of weights and gradients at the ends of the epochs that are kept.

    Args:
        epochs: how many are planned; training may end earlier.
    """

    def __init__(self, epochs: int) -> None:
        self._is_long = epochs > LONG_RUN_EPOCHS
        self._epochs: list[int] = []
        self._counts: defaultdict[tuple[TowerName, str, str], list[Counts]] = defaultdict(list)

    def add(
        self,
        epoch: int,
        weights: Mapping[TowerName, Mapping[str, Values]],
        gradients: Mapping[TowerName, Values],
    ) -> None:
        """Count one epoch, which stays if it belongs to those kept or turns out to be the last.

        Args:
            epoch: counted from 0.
            weights: by tower and layer.
            gradients: by tower.
        """
        if self._is_long and self._epochs and self._epochs[-1] % KEPT_EVERY:
            self._epochs.pop()
            for kept in self._counts.values():
                kept.pop()
        self._epochs.append(epoch)
        for tower, layers in weights.items():
            counted = {layer: Counts.of(arrays) for layer, arrays in layers.items()}
            self._counts[tower, "weights", ""].append(Counts.total([*counted.values()]))
            self._counts[tower, "gradients", ""].append(Counts.of(gradients.get(tower, ())))
            for layer, counts in counted.items():
                self._counts[tower, "layers", layer].append(counts)

    def histograms(self) -> Histograms:
        """Return what was kept."""
        made = {key: histogram(counts) for key, counts in self._counts.items()}
        towers: Iterable[TowerName] = dict.fromkeys(tower for tower, _, _ in made)
        return Histograms(
            epochs=tuple(self._epochs),
            towers={
                tower: TowerHistograms(
                    weights=made[tower, "weights", ""],
                    gradients=made[tower, "gradients", ""],
                    layers={
                        layer: found
                        for (owner, kind, layer), found in made.items()
                        if owner == tower and kind == "layers"
                    },
                )
                for tower in towers
            },
        )
