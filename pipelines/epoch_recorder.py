"""What is recorded of each epoch: losses, norms, and how weights and gradients are distributed."""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf

from engine.spec.run_folder import (
    EpochRecord,
    GradientNorms,
    GradientStats,
    Histograms,
    LossCurves,
    TowerName,
    WeightNorms,
)
from pipelines.distributions import Distributions, GradientMoments, Values
from pipelines.errors import RunFailure
from pipelines.recording import RunFolder

_KNOWN_LOGS = {
    *("loss", "val_loss", "total_loss"),
    *("gradient", "gradient_query", "gradient_candidate"),
}
_NUMBERED = re.compile(r"(embedding|dense|batch_normalization|layer_normalization)_\d+")
"""Names that Keras makes up: it counts on through all towers."""
_log = logging.getLogger(__name__)

Logs = Mapping[str, Any] | None
"""What Keras tells a callback: the means since the epoch began."""
Gradients = Callable[[], Mapping[TowerName, Values]]
"""Gives the gradient of one fixed batch by tower: duplicate ids summed, and of an embedding table
only the rows that the batch touches."""


class EpochRecorder(tf.keras.callbacks.Callback):
    """Records every epoch, reports progress, and ends a run whose loss is no number.

    Attributes:
        records: one an epoch.
        best_epoch: whose weights were kept, where that isn't always the last.
        weight_norms: L1 and L2 norms of each tower's weights, one an epoch.
    """

    def __init__(
        self,
        folder: RunFolder,
        towers: Mapping[TowerName, tf.keras.layers.Layer],
        *,
        rows: int,
        steps_per_epoch: int,
        epochs: int,
        gradients: Gradients | None = None,
        advice: str = "",
    ) -> None:
        """Record a training.

        Args:
            folder: where to.
            towers: that are trained.
            rows: examples an epoch.
            steps_per_epoch: batches an epoch.
            epochs: how many there will be, unless it ends early.
            gradients: called at the end of each epoch; None records no gradient's distribution.
            advice: what to try where a loss is no number.
        """
        super().__init__()
        self.records: list[EpochRecord] = []
        self.best_epoch: int | None = None
        self.weight_norms: dict[TowerName, list[tuple[float, float]]] = {
            name: [] for name in towers
        }
        self._gradients = gradients
        self._advice = advice
        self._moments: dict[TowerName, GradientMoments] = {
            name: GradientMoments() for name in towers
        }
        self._distributions = Distributions(epochs)
        self._folder = folder
        self._towers = towers
        self._rows = rows
        self._steps = steps_per_epoch
        self._epochs = epochs
        self._epoch = 0
        self._started = 0.0
        self._seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the epoch's clock."""
        self._epoch = epoch
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Report progress.

        Raises:
            RunFailure: the loss is not a finite number.
        """
        self._check((logs or {})["total_loss"])
        if batch + 1 == self._steps:
            self._seconds = time.monotonic() - self._started
        self._folder.progress(
            "training",
            epoch=self._epoch + 1,
            epochs=self._epochs,
            step=self._epoch * self._steps + batch + 1,
            steps=self._epochs * self._steps,
        )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's record."""
        logs = logs or {}
        self._check(logs["val_loss"])
        self._check(logs["gradient"], "gradient")
        record = EpochRecord(
            epoch=epoch,
            train_loss=logs["loss"],
            val_loss=logs["val_loss"],
            total_loss=logs["total_loss"],
            gradient_norm=logs["gradient"],
            gradient_norm_query=logs["gradient_query"],
            gradient_norm_candidate=logs["gradient_candidate"],
            examples_per_second=self._rows / max(self._seconds, 1e-9),
            metrics=_other_metrics(logs),
            ended_at=datetime.now(UTC),
        )
        self.records.append(record)
        self._record_weights(epoch)
        self._folder.append_epoch(record)
        _log.info(
            "epoch %d of %d: loss %.4f, val loss %.4f, %.0f examples/s",
            epoch + 1,
            self._epochs,
            record.train_loss,
            record.val_loss,
            record.examples_per_second,
        )

    def loss(self) -> LossCurves:
        """Return the loss curves so far."""
        return LossCurves(
            train=tuple(record.train_loss for record in self.records),
            val=tuple(record.val_loss for record in self.records),
            total=tuple(record.total_loss for record in self.records),
        )

    @property
    def final_loss(self) -> float:
        """The train loss of the epoch whose weights were kept."""
        return self.records[-1 if self.best_epoch is None else self.best_epoch].train_loss

    def gradient(self) -> GradientNorms:
        """Return the gradient norms so far."""
        return GradientNorms(
            total=tuple(record.gradient_norm for record in self.records),
            query=tuple(record.gradient_norm_query for record in self.records),
            candidate=tuple(record.gradient_norm_candidate for record in self.records),
        )

    def weights(self) -> dict[TowerName, WeightNorms]:
        """Return the weight norms so far."""
        return {
            tower: WeightNorms(l1=tuple(l1 for l1, _ in norms), l2=tuple(l2 for _, l2 in norms))
            for tower, norms in self.weight_norms.items()
        }

    def epoch_metrics(self) -> dict[str, tuple[float, ...]]:
        """Return what else was measured after every epoch so far."""
        measured = [record.metrics for record in self.records]
        always = [name for name in (measured or [{}])[0] if all(name in m for m in measured)]
        return {name: tuple(metrics[name] for metrics in measured) for name in always}

    def gradient_stats(self) -> dict[TowerName, GradientStats]:
        """Return how the gradients were distributed; empty where they weren't given."""
        if self._gradients is None or not self.records:
            return {}
        return {tower: moments.stats() for tower, moments in self._moments.items()}

    def histograms(self) -> Histograms:
        """Return the histograms of the epochs that are kept."""
        return self._distributions.histograms()

    def _check(self, value: float, what: str = "loss") -> None:
        if not math.isfinite(value):
            raise RunFailure(
                f"The {what} was not a finite number in epoch {self._epoch + 1}.",
                hint=self._advice,
            )

    def _record_weights(self, epoch: int) -> None:
        layers: dict[TowerName, dict[str, Values]] = {
            tower: weights_by_layer(layer) for tower, layer in self._towers.items()
        }
        for tower, norms in self.weight_norms.items():
            weights = [array for arrays in layers[tower].values() for array in arrays]
            l1 = sum(float(np.abs(w).sum(dtype=np.float64)) for w in weights)
            squares = sum(float(np.square(w, dtype=np.float64).sum()) for w in weights)
            self._check(squares, "norm of the weights")
            norms.append((l1, math.sqrt(squares)))
        gradients = self._gradients() if self._gradients else {}
        for tower, moments in self._moments.items():
            moments.add(gradients.get(tower, ()))
        self._distributions.add(epoch, layers, gradients)


def weights_by_layer(tower: tf.keras.layers.Layer) -> dict[str, Values]:
    """Return the trained weights of a tower, flat, by layer; names without Keras's counting."""
    layers: dict[str, list[Any]] = {}
    for variable in tower.trainable_variables:
        path = variable.name.rpartition("/")[0]
        layers.setdefault(path, []).append(np.ravel(variable.numpy()))
    names: dict[str, Values] = {}
    for path, weights in layers.items():
        last = path.rpartition("/")[2] or tower.name
        name = found[1] if (found := _NUMBERED.fullmatch(last)) else last
        same = sum(re.fullmatch(rf"{re.escape(name)}( \d+)?", other) is not None for other in names)
        names[f"{name} {same + 1}" if same else name] = weights
    return names


def _other_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return what Keras tells besides what has a place of its own; without what isn't defined."""
    others = {name: float(value) for name, value in logs.items() if name not in _KNOWN_LOGS}
    return {name: value for name, value in others.items() if math.isfinite(value)}
