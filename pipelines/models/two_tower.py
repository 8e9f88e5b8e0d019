"""The two-tower model of all three types, and what is worth knowing about each step."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypedDict

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from numpy.typing import NDArray

from engine.spec import ExperimentSpec, Feature
from engine.spec.run_folder import TowerName
from pipelines.data import TowerInput
from pipelines.models.fields import SharedTables
from pipelines.models.rating import Labels, Rating, RatingInput
from pipelines.models.softmax import in_batch_softmax
from pipelines.models.towers import Tower
from pipelines.tensors import tower_tensors


class Batch(TypedDict):
    """A batch of (buyer, product) pairs.

    Attributes:
        query: the buyers.
        candidate: the products, in the same order.
        probability: q(i), each product's share of the train rows `[batch] float32`.
        product: number of each row's product, the same for equal ones `[batch] int32`.
        label: the target `[batch] float32`, NaN where a row has none; of rating models.
    """

    query: TowerInput
    candidate: TowerInput
    probability: Any
    product: Any
    label: Any


class TwoTowerModel(tfrs.Model):
    """Two towers trained to retrieve the products of a buyer, to rate them, or both.

    Attributes:
        query_tower: of the buyers.
        candidate_tower: of the products.
        rating: of ranking and multitask models, else None.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        vocabulary_sizes: Mapping[str, int],
        labels: Labels | None = None,
    ) -> None:
        """Make the towers.

        Args:
            spec: the experiment.
            vocabulary_sizes: number of tokens that train has, by text column.
            labels: of train; rating models need them.
        """
        super().__init__()
        model, features = spec.model, spec.features
        tower = partial(
            Tower,
            vocabulary_sizes=vocabulary_sizes,
            output_dim=model.output_dim,
            normalize=model.retrieves and model.retrieval.normalize,
            combine=model.combine,
            shared=SharedTables(vocabulary_sizes),
        )
        self.query_tower = tower(features.buyer_inputs, model.buyer_tower.layers, name="query")
        self.candidate_tower = tower(
            features.product_inputs, model.product_tower.layers, name="candidate"
        )
        self.rating: Rating | None = None
        self.buyer_ids = _ids(features.buyer, vocabulary_sizes)
        self._id_columns = primary_index(features.buyer), primary_index(features.product)
        self._retrieval = model.retrieval
        self._weights = {"retrieval": model.retrieval_weight, "ranking": model.ranking_weight}
        if model.type != "multitask":
            self._weights = {model.type: 1.0}
        if model.rating is not None and labels is not None:
            self.rating = Rating(
                model.rating,
                labels,
                buyer_ids=self.buyer_ids,
                product_ids=_ids(features.product, vocabulary_sizes),
            )
        names = ["loss", "total_loss", "gradient", "gradient_query", "gradient_candidate"]
        if model.type == "multitask":
            names += ["retrieval_loss", "ranking_loss"]
        means: dict[str, Any] = {name: tf.keras.metrics.Mean(name=name) for name in names}
        if self.rating is not None:
            means["rmse"] = tf.keras.metrics.RootMeanSquaredError(name="rmse")
        # Keras resets what is there when the attribute is set, and nothing that comes later.
        self._means = means

    @property
    def retrieves(self) -> bool:
        """Whether recall is what it is judged by."""
        return self._weights.get("retrieval", 0) > 0

    @property
    def parts(self) -> dict[TowerName, tf.keras.layers.Layer]:
        """What is trained, by name."""
        parts: dict[TowerName, tf.keras.layers.Layer] = {
            "query": self.query_tower,
            "candidate": self.candidate_tower,
        }
        return {**parts, "rating": self.rating} if self.rating is not None else parts

    def raw_ratings(
        self, query: TowerInput, candidate: TowerInput, training: bool = False
    ) -> tf.Tensor:
        """Return the raw output of the rating of each pair `[batch] float32`."""
        vectors = (
            self.query_tower(query, training=training),
            self.candidate_tower(candidate, training=training),
        )
        return self._rate(vectors, (query, candidate), training)[0]

    def _rate(
        self, vectors: tuple[Any, Any], inputs: tuple[TowerInput, TowerInput], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        assert self.rating is not None
        buyer, product = (
            part.ids[:, column] for part, column in zip(inputs, self._id_columns, strict=True)
        )
        return self.rating(RatingInput(*vectors, buyer, product), training=training)

    def compute_loss(self, inputs: Batch, training: bool = False) -> tf.Tensor:
        """Return the mean loss of a batch, without regularization."""
        return self._weighted(self._task_losses(inputs, training)[0])

    def _weighted(self, losses: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.add_n([self._weights[task] * loss for task, loss in losses.items()])

    def _task_losses(self, inputs: Batch, training: bool) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Return the mean loss of each task, and the penalties; note the errors of ratings."""
        penalty = tf.constant(0.0)
        query = self.query_tower(inputs["query"], training=training)
        candidate = self.candidate_tower(inputs["candidate"], training=training)
        losses: dict[str, tf.Tensor] = {}
        if "retrieval" in self._weights:
            losses["retrieval"] = in_batch_softmax(
                query,
                candidate,
                settings=self._retrieval,
                probability=inputs["probability"],
                product=inputs["product"],
            )
        if self.rating is not None:
            raw, penalty = self._rate(
                (query, candidate), (inputs["query"], inputs["candidate"]), training
            )
            label = inputs["label"]
            labelled = tf.math.is_finite(label)
            # A row without a label must not reach the gradient: 0 times NaN is NaN.
            known = tf.where(labelled, label, 0.0)
            count = tf.cast(labelled, tf.float32)
            rows = self.rating.losses_of(known, raw)
            losses["ranking"] = tf.math.divide_no_nan(
                tf.reduce_sum(rows * count), tf.reduce_sum(count)
            )
            self._means["rmse"].update_state(known, self.rating.ratings(raw), sample_weight=count)
        penalties = [penalty, *self.losses]
        return losses, tf.add_n(penalties)

    def train_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Update the weights once.

        Returns:
            Means since the epoch began: loss and total loss (with regularization) per example, and
            the global gradient norms of both towers and of each per step.
        """
        with tf.GradientTape() as tape:
            losses, penalty = self._task_losses(inputs, training=True)
            loss = self._weighted(losses)
            total_loss = loss + penalty
        parts = self.parts
        variables = [v for part in parts.values() for v in part.trainable_variables]
        gradients = [sum_duplicates(gradient) for gradient in tape.gradient(total_loss, variables)]
        optimizer: Any = self.optimizer
        optimizer.apply_gradients(
            pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None
        )
        self._means["gradient"].update_state(tf.linalg.global_norm(gradients))
        for name, of_part in self._by_part(gradients).items():
            if name != "rating":
                self._means[f"gradient_{name}"].update_state(tf.linalg.global_norm(of_part))
        self._update_losses(inputs, losses, loss, total_loss)
        return {name: mean.result() for name, mean in self._means.items()}

    def gradients(self, inputs: Batch) -> dict[TowerName, list[NDArray[np.float32]]]:
        """Return the gradient of the total loss on a batch, as in inference: nothing changes.

        Duplicate ids are summed; of an embedding table only the touched rows are given.
        """
        with tf.GradientTape() as tape:
            losses, penalty = self._task_losses(inputs, training=False)
            total_loss = self._weighted(losses) + penalty
        variables = [v for part in self.parts.values() for v in part.trainable_variables]
        found = [sum_duplicates(part) for part in tape.gradient(total_loss, variables)]
        return {
            name: [
                (part.values if isinstance(part, tf.IndexedSlices) else part).numpy()
                for part in of_part
                if part is not None
            ]
            for name, of_part in self._by_part(found).items()
        }

    def _by_part(self, gradients: list[Any]) -> dict[TowerName, list[Any]]:
        left = iter(gradients)
        return {
            name: [next(left) for _ in part.trainable_variables]
            for name, part in self.parts.items()
        }

    def test_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Return the means since the evaluation began."""
        losses, _ = self._task_losses(inputs, training=False)
        loss = self._weighted(losses)
        self._update_losses(inputs, losses, loss, tf.constant(0.0))
        wanted = ("loss", "rmse", "retrieval_loss", "ranking_loss")
        return {name: self._means[name].result() for name in wanted if name in self._means}

    def _update_losses(
        self, inputs: Batch, losses: dict[str, tf.Tensor], loss: tf.Tensor, total_loss: tf.Tensor
    ) -> None:
        rows = tf.cast(tf.shape(inputs["probability"])[0], tf.float32)
        if list(losses) == ["ranking"]:
            rows = tf.reduce_sum(tf.cast(tf.math.is_finite(inputs["label"]), tf.float32))
        self._means["loss"].update_state(loss, sample_weight=rows)
        self._means["total_loss"].update_state(total_loss, sample_weight=rows)
        for task, each in losses.items():
            if f"{task}_loss" in self._means:
                self._means[f"{task}_loss"].update_state(each, sample_weight=rows)


def primary_index(features: tuple[Feature, ...]) -> int:
    """Return which of a tower's id columns is its primary id."""
    primary = next(feature.column for feature in features if feature.primary)
    embedded = [tensor for tensor in tower_tensors(features) if tensor.embedded]
    return next(i for i, t in enumerate(embedded) if t.column == primary and t.transform == "embed")


def _ids(features: tuple[Feature, ...], vocabulary_sizes: Mapping[str, int]) -> int:
    """Return how many ids the primary has: a missing one, tokens, and an unknown one."""
    primary = next(feature.column for feature in features if feature.primary)
    return max(1, vocabulary_sizes[primary]) + 2


def sum_duplicates(gradient: tf.Tensor | tf.IndexedSlices | None) -> Any:  # noqa: ANN401
    """Return a gradient in which no row occurs twice: else its norm would be wrong."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
