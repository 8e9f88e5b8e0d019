"""The training loop: batches, early stopping, and what is recorded of each epoch."""

import logging
import math
from collections.abc import Callable

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import pandas as pd
import tensorflow as tf

from engine.spec import EarlyStopping, ExperimentSpec, TrainingParams
from pipelines.data import Examples
from pipelines.epoch_recorder import EpochRecorder, Logs
from pipelines.evaluation import Candidates
from pipelines.models.optimizers import optimizer
from pipelines.models.two_tower import Batch, TwoTowerModel
from pipelines.recording import RunFolder

_log = logging.getLogger(__name__)


def fit(
    model: TwoTowerModel,
    spec: ExperimentSpec,
    train: Examples,
    validation: Examples,
    candidates: Candidates,
    folder: RunFolder,
    *,
    recall: Callable[[], float] | None = None,
) -> EpochRecorder:
    """Train for the epochs of the spec, writing the run folder's progress and training log.

    Args:
        model: the untrained model.
        spec: the experiment.
        train: the train split.
        validation: the eval split.
        candidates: of train.
        folder: where to.
        recall: gives Recall@100 on the eval split, for early stopping on it.

    Raises:
        RunFailure: the loss isn't a finite number.
    """
    params = spec.params
    rows = len(train.product)
    steps = math.ceil(rows / params.batch_size)
    sample = next(iter(_batches(train, candidates, params.batch_size, shuffle_seed=params.seed)))
    model.compute_loss(sample)  # makes all weights, so that every part has some
    recorder = EpochRecorder(
        folder,
        model.parts,
        rows=rows,
        steps_per_epoch=steps,
        epochs=params.epochs,
        gradients=lambda: model.gradients(sample),
        advice=_what_to_try(spec),
    )
    callbacks: list[tf.keras.callbacks.Callback] = [recorder]
    stopping = None
    if params.early_stopping is not None:
        by_recall = spec.model.primary_metric == "recall_at_100"
        on_recall = params.early_stopping.monitor == "primary" and by_recall
        stopping = _KeepBest(params.early_stopping, recall if on_recall else None, by_recall)
        callbacks = [stopping, recorder]
    model.compile(
        optimizer(
            spec.model.optimizer,
            params.learning_rate,
            batch_size=params.batch_size,
            row_wise=spec.model.row_wise,
        )
    )
    _log.info("training on %d rows in %d steps an epoch", rows, steps)
    model.fit(
        _batches(train, candidates, params.batch_size, shuffle_seed=params.seed),
        validation_data=_batches(validation, candidates, params.batch_size),
        epochs=params.epochs,
        callbacks=callbacks,
        verbose=0,
    )
    if stopping is not None:
        recorder.best_epoch = stopping.best_epoch
    return recorder


def seed_everything(params: TrainingParams) -> None:
    """Seed every random generator; with `deterministic`, equal seeds give equal results."""
    tf.keras.utils.set_random_seed(params.seed)
    if params.deterministic:
        tf.config.experimental.enable_op_determinism()


def _what_to_try(spec: ExperimentSpec) -> str:
    """Return what helps where the loss is no number."""
    steps = [f"a lower learning rate than {spec.params.learning_rate:g}"]
    if spec.model.retrieves and not spec.model.retrieval.normalize:
        steps.append("normalize = true")
    target = spec.features.target
    rated = spec.model.rating is not None and spec.model.rating.loss == "mse"
    if rated and target is not None and not target.normalize:
        steps.append("normalize or log1p for the target, or the loss huber")
    return f"Try {'; '.join(steps)}. If it happens in epoch 1, look for extreme numeric values."


class _KeepBest(tf.keras.callbacks.EarlyStopping):
    """Early stopping that keeps the best epoch's weights even where it didn't have to stop."""

    def __init__(
        self, settings: EarlyStopping, recall: Callable[[], float] | None, by_recall: bool
    ) -> None:
        monitor, mode = "val_loss", "min"
        if settings.monitor == "primary":
            monitor, mode = ("val_recall_at_100", "max") if by_recall else ("val_rmse", "min")
        super().__init__(monitor, patience=settings.patience, mode=mode, restore_best_weights=True)
        self._recall = recall

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Measure what is watched, and compare."""
        if self._recall is not None and isinstance(logs, dict):
            logs[self.monitor] = self._recall()
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Take the best epoch's weights."""
        if self.stopped_epoch:
            _log.info("ended early; the weights are those of epoch %d", self.best_epoch + 1)
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def chance_loss(spec: ExperimentSpec, rows: int) -> float | None:
    """Return the retrieval loss of towers that can't tell anything apart, given train's rows."""
    settings, weight = spec.model.retrieval, spec.model.retrieval_weight
    if not spec.model.retrieves or (spec.model.type == "multitask" and weight == 0):
        return None
    width = min(spec.params.batch_size, rows, settings.softmax_group or rows)
    if settings.hard_negatives is not None:
        width = min(width, 1 + settings.hard_negatives)
    return math.log(width)


def _batches(
    examples: Examples, candidates: Candidates, batch_size: int, *, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Return `Batch`es, the last one smaller; shuffled anew in every epoch when there is a seed."""
    rows = len(examples.product)
    columns = Batch(
        query=examples.query,
        candidate=examples.candidate,
        probability=candidates.probability_of(examples.product),
        product=pd.factorize(examples.product)[0].astype(np.int32),
        label=np.full(rows, np.nan, np.float32) if examples.label is None else examples.label,
    )
    everything = tf.nest.map_structure(tf.constant, columns)
    order = tf.data.Dataset.range(rows)
    if shuffle_seed is not None:
        order = order.shuffle(rows, seed=shuffle_seed)

    def gather(indices: tf.Tensor) -> Batch:
        return tf.nest.map_structure(lambda column: tf.gather(column, indices), everything)

    return order.batch(batch_size).map(gather).prefetch(2)
