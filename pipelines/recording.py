"""What the Trainer writes to the run folder while it trains and when it is done.

Paths go through `tf.io.gfile`, so that the run folder may be a gs:// prefix.
"""

import io
import math
import posixpath
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from engine.spec.run_folder import (
    HISTOGRAMS,
    PROGRESS,
    TEST_ROWS,
    TRAINING_LOG,
    TRAINING_METRICS,
    EpochRecord,
    Histograms,
    Progress,
    TrainingMetrics,
)

_PROGRESS_SECONDS, _REMOTE_PROGRESS_SECONDS = 1.0, 10.0
"""How often progress is written within a phase; Cloud Storage takes one write a second an object
and charges each."""
_WRITTEN = (PROGRESS, TRAINING_LOG, TRAINING_METRICS, HISTOGRAMS, TEST_ROWS)

Phase = Literal["loading", "training", "evaluating", "exporting"]


class RunFolder:
    """Writes the Trainer's files; `progress.json` not too often within a phase.

    A reader sees each file whole: on this machine it is renamed, in Cloud Storage an object appears
    when it is closed.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._is_remote = "://" in path
        self._progress_written = -math.inf
        self._phase: Phase | None = None
        tf.io.gfile.makedirs(path)

    def progress(
        self, phase: Phase, *, epoch: int = 0, epochs: int = 0, step: int = 0, steps: int = 0
    ) -> None:
        """Say how far the Trainer is; epochs count from 1."""
        now = self._clock()
        pause = _REMOTE_PROGRESS_SECONDS if self._is_remote else _PROGRESS_SECONDS
        if phase == self._phase and now - self._progress_written < pause:
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

    def clear(self) -> None:
        """Remove what an earlier attempt has left: Vertex AI repeats a task whose machine fails."""
        for name in _WRITTEN:
            path = posixpath.join(self._path, name)
            if tf.io.gfile.exists(path):
                tf.io.gfile.remove(path)

    def write_metrics(self, metrics: TrainingMetrics) -> None:
        """Write `training_metrics.json`."""
        self._replace(TRAINING_METRICS, metrics.model_dump_json(indent=1).encode())

    def write_histograms(self, histograms: Histograms) -> None:
        """Write `histograms.json`."""
        self._replace(HISTOGRAMS, histograms.model_dump_json().encode())

    def write_test_rows(self, rows: pa.Table) -> None:
        """Write `test_rows.parquet`."""
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self._replace(TEST_ROWS, buffer.getvalue())

    def _replace(self, name: str, content: bytes) -> None:
        path = posixpath.join(self._path, name)
        draft = path if self._is_remote else path + ".tmp"
        with tf.io.gfile.GFile(draft, "wb") as file:
            file.write(content)
        if draft != path:
            tf.io.gfile.rename(draft, path, overwrite=True)
