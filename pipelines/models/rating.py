"""Ratings from the two embeddings: head, dot product and biases around the mean of train."""

import math
from typing import NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.spec import RatingLoss, RatingSettings, Target
from pipelines.errors import RunFailure
from pipelines.models.layers import keras_layer
from pipelines.target import TargetTransform

_LEAST_SHARE = 1e-4


class Labels(NamedTuple):
    """What train's labels are like.

    Attributes:
        mean: of what is learnt.
        low: the least label, in the target's own unit; likewise `high`.
        transform: what is done with labels before they are learnt.
    """

    mean: float
    low: float
    high: float
    transform: TargetTransform = TargetTransform("")

    def start(self, loss: RatingLoss) -> float:
        """Return where the output starts: the mean, of a cross-entropy its logit."""
        if loss != "binary_crossentropy":
            return self.mean
        share = min(max(self.mean, _LEAST_SHARE), 1 - _LEAST_SHARE)
        return math.log(share / (1 - share))


def labels_of(
    label: NDArray[np.float32] | None, loss: RatingLoss, target: Target | None = None
) -> Labels:
    """Return what train's labels are like; rows without one (NaN) don't count.

    Args:
        label: of train, in the target's own unit.
        loss: what they are learnt by.
        target: what is done with them before.

    Raises:
        RunFailure: there is none, or the loss can't take them.
    """
    known = label[np.isfinite(label)] if label is not None else np.empty(0, np.float32)
    if len(known) == 0:
        raise RunFailure(
            "No row of the train split has a target to learn from.",
            hint="Choose another target column, or a larger sample.",
        )
    low, high = float(known.min()), float(known.max())
    if loss == "binary_crossentropy" and not 0 <= low <= high <= 1:
        raise RunFailure(
            f"The loss binary_crossentropy needs a target from 0 to 1, not {low:g} to {high:g}.",
            hint="Choose the loss mse or huber.",
        )
    transform = TargetTransform.fit(target, known) if target else TargetTransform("")
    if loss == "binary_crossentropy" and target and target.transforms:
        raise RunFailure(
            "The loss binary_crossentropy learns labels as they are, not transformed ones.",
            hint="Take clip, log1p and normalize out of the target, or choose mse or huber.",
        )
    learnt = transform.forward(known.astype(np.float64))
    return Labels(float(learnt.mean()), low, high, transform)


class RatingInput(NamedTuple):
    """Pairs to rate.

    Attributes:
        query: buyers' embeddings `[batch, dim] float32`.
        candidate: products' embeddings `[batch, dim] float32`.
        buyer: vocabulary ids of the buyers `[batch] int32`.
        product: likewise of the products.
    """

    query: tf.Tensor
    candidate: tf.Tensor
    buyer: tf.Tensor
    product: tf.Tensor


class Rating(tf.keras.layers.Layer):
    """From both embeddings to the raw output `[batch] float32`: the rating, or its logit."""

    def __init__(
        self, settings: RatingSettings, labels: Labels, *, buyer_ids: int, product_ids: int
    ) -> None:
        """Make the layers.

        Args:
            settings: which terms there are.
            labels: of train.
            buyer_ids: number of ids of the buyers' vocabulary, missing and unknown included.
            product_ids: likewise of the products.
        """
        super().__init__(name="rating")
        self._settings = settings
        self._labels = labels
        start = tf.keras.initializers.Constant(labels.start(settings.loss))
        self._start = self.add_weight(name="output_bias", shape=(), initializer=start)
        self._hidden = [keras_layer(layer) for layer in settings.layers or ()]
        # A head that starts at 0 leaves the first prediction at the mean.
        self._output = tf.keras.layers.Dense(
            1, use_bias=False, kernel_initializer="zeros", name="output"
        )
        self._biases = [
            tf.keras.layers.Embedding(ids, 1, embeddings_initializer="zeros", name=name)
            for name, ids in (("buyer_biases", buyer_ids), ("product_biases", product_ids))
            if settings.biases
        ]

    def call(self, inputs: RatingInput, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the raw output, and the penalty on what it is made of (a scalar).

        Args:
            inputs: the pairs to rate.
            training: whether dropout and batch norm train.
        """
        settings, query, candidate = self._settings, inputs.query, inputs.candidate
        output = tf.fill([tf.shape(query)[0]], 0.0) + self._start
        if settings.layers is not None:
            hidden = tf.concat([query, candidate, query * candidate], axis=1)
            for layer in self._hidden:
                hidden = layer(hidden, training=training)
            output += self._output(hidden)[:, 0]
        if settings.dot_product:
            output += tf.reduce_sum(query * candidate, axis=1)
        biases = [table(own)[:, 0] for table, own in zip(self._biases, inputs[2:], strict=False)]
        penalty = tf.constant(0.0)
        for bias in biases:
            output += bias
            penalty += settings.bias_l2 * tf.reduce_mean(bias**2)
        if settings.embedding_l2:
            squares = tf.reduce_sum(query**2 + candidate**2, axis=1)
            penalty += settings.embedding_l2 * tf.reduce_mean(squares)
        return output, penalty

    @tf.autograph.experimental.do_not_convert
    def losses_of(self, label: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Return each row's loss `[batch] float32`; labels are in the target's own unit."""
        label = self._labels.transform.forward(label)
        match self._settings.loss:
            case "mse":
                return (raw - label) ** 2
            case "huber":
                delta = self._settings.huber_delta
                error = tf.abs(raw - label)
                inside = 0.5 * error**2
                return tf.where(error <= delta, inside, delta * (error - 0.5 * delta))
            case "binary_crossentropy":
                return tf.nn.sigmoid_cross_entropy_with_logits(label, raw)

    def ratings(self, raw: tf.Tensor) -> tf.Tensor:
        """Return raw outputs in the target's unit, within the range of train's labels."""
        if self._settings.loss == "binary_crossentropy":
            return tf.sigmoid(raw)
        return tf.clip_by_value(
            self._labels.transform.inverse(raw), self._labels.low, self._labels.high
        )
