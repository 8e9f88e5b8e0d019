"""The exported model: raw features in; product ids and scores, or ratings, out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from engine.spec import ExperimentSpec, SqlType
from pipelines.data import stack_tensors
from pipelines.models.index import Recommender
from pipelines.models.own_history import OwnHistory
from pipelines.models.two_tower import TwoTowerModel, primary_index

_DTYPES: dict[SqlType, tf.DType] = {"INT64": tf.int64, "FLOAT": tf.float32, "STRING": tf.string}


class Candidates(NamedTuple):
    """What the exported model recommends.

    Attributes:
        vectors: `[candidates, output_dim + 1] float32`, their prior last.
        ids: their ids `[candidates]`, bytes objects.
        history: what each buyer's own products gain, or None.
    """

    vectors: NDArray[np.float32]
    ids: NDArray[np.object_]
    history: OwnHistory | None = None


class ServedModel(tf.Module):
    """The exported model: `recommend` and `rate` on raw features, as its type has them.

    Where the index is ScaNN's, loading it takes `from scann import scann_ops` before.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        transform: tft.TFTransformOutput,
        model: TwoTowerModel,
        recommender: Recommender | None,
        ids: NDArray[np.object_],
    ) -> None:
        """Take over the trained weights.

        Args:
            spec: the experiment.
            transform: Transform's output: raw features become tensors as in training.
            model: the trained model.
            recommender: None for a ranking model.
            ids: of the products `[candidates]`, bytes objects.
        """
        super().__init__(name="served_model")
        self._features = spec.features
        self._transform = transform.transform_features_layer()
        self._known = set(transform.raw_feature_spec())
        self._model = model
        self._lists = {c.name for c in spec.examples.columns if c.repeated}
        self._types: dict[str, SqlType] = {c.name: c.type for c in spec.examples.columns}
        buyer = [feature.column for feature in spec.features.buyer]
        product = [feature.column for feature in spec.features.product]
        self._buyer_inputs = input_names(buyer)
        self._pair_inputs = input_names([*buyer, *product])
        self._recommender = recommender
        self._ids = tf.constant(ids, tf.string)

    def recommend(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return `product_ids [batch, k] string` and `scores [batch, k] float32`, best first.

        Args:
            raw: the buyer features `[batch]` by their input names; an empty string or a NaN is a
                missing value. A history is `[batch, n]`, padded with empty strings.
        """
        transformed, rows = self._transformed(raw, self._buyer_inputs)
        buyers = stack_tensors(transformed, self._features.buyer_inputs, rows)
        queries = tf.concat([self._model.query_tower(buyers), tf.ones([rows, 1])], axis=1)
        own = buyers.ids[:, primary_index(self._features.buyer)]
        assert self._recommender is not None
        found = self._recommender.best(queries, own)
        return {"product_ids": tf.gather(self._ids, found.products), "scores": found.scores}

    def rate(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return `rating [batch] float32`, in the target's unit.

        Args:
            raw: the features of buyers and products `[batch]` by their input names, as above.
        """
        transformed, rows = self._transformed(raw, self._pair_inputs)
        output = self._model.raw_ratings(
            stack_tensors(transformed, self._features.buyer_inputs, rows),
            stack_tensors(transformed, self._features.product_inputs, rows),
        )
        assert self._model.rating is not None
        return {"rating": self._model.rating.ratings(output)}

    def save(self, path: str) -> None:
        """Write the SavedModel.

        `serving_default` is `recommend`, or `rate` of a ranking model; a multitask model has `rate`
        as a signature of that name besides.
        """
        signatures: dict[str, Any] = {}
        if self._recommender is not None:
            signatures["serving_default"] = self._function(self.recommend, self._buyer_inputs)
        if self._model.rating is not None:
            name = "serving_default" if self._recommender is None else "rate"
            signatures[name] = self._function(self.rate, self._pair_inputs)
        tf.saved_model.save(self, path, signatures=signatures)

    def _function(self, function: Any, inputs: Mapping[str, str]) -> Any:  # noqa: ANN401
        signature = {
            name: tf.TensorSpec(
                [None, None] if column in self._lists else [None],
                _DTYPES[self._types[column]],
                name,
            )
            for column, name in inputs.items()
        }
        return tf.function(function, input_signature=[signature])

    def _transformed(
        self, raw: Mapping[str, tf.Tensor], inputs: Mapping[str, str]
    ) -> tuple[Mapping[str, tf.Tensor], tf.Tensor]:
        rows = tf.shape(next(iter(raw.values())))[0]
        known = {c: _sparse(raw[name]) for c, name in inputs.items() if c in self._known}
        return self._transform(known), rows


def input_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the name of each column's input: a signature takes ASCII letters, digits and `_`."""
    names: dict[str, str] = {}
    for column in dict.fromkeys(columns):
        name = re.sub(r"[^A-Za-z0-9_]", "_", column)
        name = name if name[:1].isalpha() else f"column_{name}"
        taken = sum(other == name or other.startswith(f"{name}__") for other in names.values())
        names[column] = f"{name}__{taken + 1}" if taken else name
    return names


def _sparse(values: tf.Tensor) -> tf.SparseTensor:
    """Return values `[rows]` or lists `[rows, n]` as the sparse column that Transform reads.

    An empty string, which pads a list, is a missing value there.
    """
    cells = values if values.shape.rank == 2 else tf.expand_dims(values, 1)
    shape = tf.shape(cells, out_type=tf.int64)
    return tf.SparseTensor(tf.where(tf.ones(shape, tf.bool)), tf.reshape(cells, [-1]), shape)
