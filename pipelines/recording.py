"""What the Trainer writes to the run folder while it trains and when it is done.

Paths go through `tf.io.gfile`, so that the run folder may be a gs:// prefix.
"""

import io
import logging
import math
import posixpath
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from engine.spec.run_folder import (
    PROGRESS,
    TEST_ROWS,
    TRAINING_LOG,
    TRAINING_METRICS,
    EpochRecord,
    GradientNorms,
    LossCurves,
    Progress,
    TowerName,
    TrainingMetrics,
    WeightNorms,
)
from pipelines.errors import RunFailure
from pipelines.models.towers import Tower

_PROGRESS_SECONDS = 1.0
_log = logging.getLogger(__name__)

Phase = Literal["loading", "training", "evaluating", "exporting"]
Logs = Mapping[str, Any] | None
"""What Keras tells a callback: the means since the epoch began."""


class RunFolder:
    """Writes the Trainer's files; `progress.json` at most once a second within a phase."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._progress_written = -math.inf
        self._phase: Phase | None = None
        tf.io.gfile.makedirs(path)

    def progress(
        self, phase: Phase, *, epoch: int = 0, epochs: int = 0, step: int = 0, steps: int = 0
    ) -> None:
        """Say how far the Trainer is; epochs count from 1."""
        now = time.monotonic()
        if phase == self._phase and now - self._progress_written < _PROGRESS_SECONDS:
            return
        self._phase, self._progress_written = phase, now
        progress = Progress(
            phase=phase,
            epoch=epoch,
            epochs=epochs,
            step=step,
            steps=steps,
            updated_at=datetime.now(UTC),
        )
        self._replace(PROGRESS, progress.model_dump_json().encode())

    def append_epoch(self, record: EpochRecord) -> None:
        """Add a line to `training_log.jsonl`."""
        with tf.io.gfile.GFile(posixpath.join(self._path, TRAINING_LOG), "a") as file:
            file.write(record.model_dump_json() + "\n")

    def clear_epochs(self) -> None:
        """Remove the lines of an earlier attempt."""
        path = posixpath.join(self._path, TRAINING_LOG)
        if tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)

    def write_metrics(self, metrics: TrainingMetrics) -> None:
        """Write `training_metrics.json`."""
        self._replace(TRAINING_METRICS, metrics.model_dump_json(indent=1).encode())

    def write_test_rows(self, rows: pa.Table) -> None:
        """Write `test_rows.parquet`."""
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self._replace(TEST_ROWS, buffer.getvalue())

    def _replace(self, name: str, content: bytes) -> None:
        path = posixpath.join(self._path, name)
        with tf.io.gfile.GFile(path + ".tmp", "wb") as file:
            file.write(content)
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


class EpochRecorder(tf.keras.callbacks.Callback):
    """Records every epoch, reports progress, and ends a run whose loss is no number.

    Attributes:
        records: one an epoch.
        weight_norms: L1 and L2 norms of each tower's weights, one an epoch.
    """

    def __init__(
        self,
        folder: RunFolder,
        towers: Mapping[TowerName, Tower],
        *,
        rows: int,
        steps_per_epoch: int,
        epochs: int,
    ) -> None:
        """Record a training.

        Args:
            folder: where to.
            towers: that are trained.
            rows: examples an epoch.
            steps_per_epoch: batches an epoch.
            epochs: how many there will be.
        """
        super().__init__()
        self.records: list[EpochRecord] = []
        self.weight_norms: dict[TowerName, list[tuple[float, float]]] = {
            name: [] for name in towers
        }
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
        record = EpochRecord(
            epoch=epoch,
            train_loss=logs["loss"],
            val_loss=logs["val_loss"],
            total_loss=logs["total_loss"],
            gradient_norm=logs["gradient"],
            gradient_norm_query=logs["gradient_query"],
            gradient_norm_candidate=logs["gradient_candidate"],
            examples_per_second=self._rows / max(self._seconds, 1e-9),
            ended_at=datetime.now(UTC),
        )
        self.records.append(record)
        self._add_weight_norms()
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

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RunFailure(
                f"The loss was not a finite number in epoch {self._epoch + 1}.",
                hint="Try a lower learning rate.",
            )

    def _add_weight_norms(self) -> None:
        for tower, norms in self.weight_norms.items():
            weights = [np.ravel(v.numpy()) for v in self._towers[tower].trainable_variables]
            l1 = sum(float(np.abs(w).sum(dtype=np.float64)) for w in weights)
            squares = sum(float(np.square(w, dtype=np.float64).sum()) for w in weights)
            norms.append((l1, math.sqrt(squares)))
