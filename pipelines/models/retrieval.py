"""The two-tower retrieval model: in-batch softmax, and what is worth knowing about each step."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypedDict

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf
import tensorflow_recommenders as tfrs

from engine.spec import ExperimentSpec
from pipelines.data import TowerInput
from pipelines.models.fields import SharedTables
from pipelines.models.towers import Tower


class Batch(TypedDict):
    """A batch of (buyer, product) pairs.

    Attributes:
        query: the buyers.
        candidate: the products, in the same order.
        probability: q(i), each product's share of the train rows `[batch] float32`.
    """

    query: TowerInput
    candidate: TowerInput
    probability: Any


class InBatchSoftmax(tf.keras.losses.Loss):
    """Mean over the batch of the cross-entropy of each row's own candidate among the batch's.

    Equals TFRS's default (a dense cross-entropy against the identity matrix, summed) divided by the
    batch size, at two thirds of its cost. Towers that can't tell anything apart score ln(batch).
    """

    def __init__(self) -> None:
        super().__init__(reduction=tf.keras.losses.Reduction.SUM_OVER_BATCH_SIZE)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the losses `[batch]` of scores `[batch, batch]`; `y_true` is the identity."""
        del y_true
        own = tf.range(tf.shape(y_pred)[0])
        return tf.nn.sparse_softmax_cross_entropy_with_logits(own, y_pred)


class RetrievalModel(tfrs.Model):
    """Two towers trained so that a buyer's embedding is close to those of the products bought."""

    def __init__(self, spec: ExperimentSpec, vocabulary_sizes: Mapping[str, int]) -> None:
        super().__init__()
        model, features = spec.model, spec.features
        tower = partial(
            Tower,
            vocabulary_sizes=vocabulary_sizes,
            output_dim=model.output_dim,
            normalize=model.retrieval.normalize,
            shared=SharedTables(vocabulary_sizes),
        )
        self.query_tower = tower(features.buyer_inputs, model.buyer_tower.layers, name="query")
        self.candidate_tower = tower(
            features.product_inputs, model.product_tower.layers, name="candidate"
        )
        self._logq_correction = model.retrieval.logq_correction
        self._task: Any = tfrs.tasks.Retrieval(
            loss=InBatchSoftmax(), temperature=model.retrieval.temperature
        )
        names = ("loss", "total_loss", "gradient", "gradient_query", "gradient_candidate")
        self._means = {name: tf.keras.metrics.Mean(name=name) for name in names}

    def compute_loss(self, inputs: Batch, training: bool = False) -> tf.Tensor:
        """Return the mean loss of a batch, without regularization."""
        return self._task(
            self.query_tower(inputs["query"], training=training),
            self.candidate_tower(inputs["candidate"], training=training),
            candidate_sampling_probability=(
                inputs["probability"] if self._logq_correction else None
            ),
            compute_metrics=False,
        )

    def train_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Update the weights once.

        Returns:
            Means since the epoch began: loss and total loss (with regularization) per example, and
            the global gradient norms of both towers and of each per step.
        """
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, training=True)
            total_loss = loss + tf.add_n([tf.constant(0.0), *self.losses])
        query = self.query_tower.trainable_variables
        candidate = self.candidate_tower.trainable_variables
        gradients = [
            sum_duplicates(gradient) for gradient in tape.gradient(total_loss, query + candidate)
        ]
        optimizer: Any = self.optimizer
        optimizer.apply_gradients(zip(gradients, query + candidate, strict=True))
        query_norm = tf.linalg.global_norm(gradients[: len(query)])
        candidate_norm = tf.linalg.global_norm(gradients[len(query) :])
        self._means["gradient"].update_state(tf.linalg.norm([query_norm, candidate_norm]))
        self._means["gradient_query"].update_state(query_norm)
        self._means["gradient_candidate"].update_state(candidate_norm)
        self._update_losses(inputs, loss, total_loss)
        return {name: mean.result() for name, mean in self._means.items()}

    def test_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Return the mean loss per example since the evaluation began."""
        self._update_losses(inputs, self.compute_loss(inputs), tf.constant(0.0))
        return {"loss": self._means["loss"].result()}

    def _update_losses(self, inputs: Batch, loss: tf.Tensor, total_loss: tf.Tensor) -> None:
        rows = tf.shape(inputs["probability"])[0]
        self._means["loss"].update_state(loss, sample_weight=rows)
        self._means["total_loss"].update_state(total_loss, sample_weight=rows)


def sum_duplicates(gradient: tf.Tensor | tf.IndexedSlices | None) -> Any:  # noqa: ANN401
    """Return a gradient in which no row occurs twice: else its norm would be wrong."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
