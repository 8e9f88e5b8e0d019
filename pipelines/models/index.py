"""The exported index: raw buyer features in, product ids and scores out."""

import re
from collections.abc import Mapping, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tensorflow_transform as tft
from numpy.typing import NDArray

from engine.spec import ExperimentSpec, SqlType
from pipelines.data import stack_tensors
from pipelines.models.towers import Tower

_DTYPES: dict[SqlType, tf.DType] = {"INT64": tf.int64, "FLOAT": tf.float32, "STRING": tf.string}


class RetrievalIndex(tf.Module):
    """Answers with the products of the highest scores, over all candidates.

    The score of product i for buyer u is [u, 1]·[v/temperature, log q], so the popularity prior is
    one more dimension of an ordinary brute-force index.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        transform: tft.TFTransformOutput,
        query_tower: Tower,
        *,
        candidates: NDArray[np.float32],
        ids: NDArray[np.object_],
    ) -> None:
        """Index the candidates.

        Args:
            spec: the experiment.
            transform: Transform's output: raw features become tensors as in training.
            query_tower: the trained tower.
            candidates: `[candidates, output_dim + 1] float32`, their prior last.
            ids: their ids `[candidates]`, bytes objects.
        """
        super().__init__(name="retrieval_index")
        self._features = spec.features.buyer_inputs
        self._transform = transform.transform_features_layer()
        self._known = set(transform.raw_feature_spec())
        self._query_tower = query_tower
        self._top = tfrs.layers.factorized_top_k.BruteForce(
            k=min(spec.model.retrieval.top_k, len(ids))
        )
        self._top.index(tf.constant(candidates), tf.constant(ids, tf.string))
        types: dict[str, SqlType] = {c.name: c.type for c in spec.examples.columns}
        self._inputs = input_names([feature.column for feature in spec.features.buyer])
        self._signature = {
            name: tf.TensorSpec([None], _DTYPES[types[column]], name)
            for column, name in self._inputs.items()
        }

    def recommend(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return `product_ids [batch, k] string` and `scores [batch, k] float32`, best first.

        Args:
            raw: the buyer features `[batch]` by their input names; an empty string or a NaN is a
                missing value.
        """
        rows = tf.shape(next(iter(raw.values())))[0]
        known = {
            column: _one_each(raw[name])
            for column, name in self._inputs.items()
            if column in self._known
        }
        buyers = stack_tensors(self._transform(known), self._features, rows)
        embeddings = self._query_tower(buyers)
        queries = tf.concat([embeddings, tf.ones([rows, 1])], axis=1)
        scores, ids = self._top(queries)
        return {"product_ids": ids, "scores": scores}

    def save(self, path: str) -> None:
        """Write the SavedModel; `serving_default` is `recommend`."""
        function = tf.function(self.recommend, input_signature=[self._signature])
        tf.saved_model.save(self, path, signatures=function)


def input_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the name of each column's input: a signature takes ASCII letters, digits and `_`."""
    names: dict[str, str] = {}
    for column in dict.fromkeys(columns):
        name = re.sub(r"[^A-Za-z0-9_]", "_", column)
        name = name if name[:1].isalpha() else f"column_{name}"
        taken = sum(other == name or other.startswith(f"{name}__") for other in names.values())
        names[column] = f"{name}__{taken + 1}" if taken else name
    return names


def _one_each(values: tf.Tensor) -> tf.SparseTensor:
    """Return values `[rows]` as the sparse column `[rows, 1]` that Transform reads."""
    rows = tf.shape(values, out_type=tf.int64)[0]
    indices = tf.stack([tf.range(rows), tf.zeros([rows], tf.int64)], axis=1)
    return tf.SparseTensor(indices, values, tf.stack([rows, 1]))
