"""The features of a tower as fields: one tensor each, embedded where they are ids."""

from collections.abc import Mapping, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import Cross, Feature
from pipelines.data import TowerInput
from pipelines.tensors import Tensor, feature_tensors

_EMBEDDING_RANGE = 0.05
"""Embeddings start uniform within ±0.05, Keras's default: small against what training adds."""


class Fields(tf.keras.layers.Layer):
    """From a `TowerInput` to the fields of a tower, each `[batch, dim] float32`."""

    def __init__(
        self, features: Sequence[Feature | Cross], vocabulary_sizes: Mapping[str, int]
    ) -> None:
        """Make the embedding tables.

        Args:
            features: of one tower, its crosses last, in the order of the fields.
            vocabulary_sizes: number of tokens that train has, by text column.
        """
        super().__init__(name="fields")
        self._tensors = [t for feature in features for t in feature_tensors(feature)]
        self._tables = [
            _table(tensor, feature.dim or 0, vocabulary_sizes)
            for feature in features
            for tensor in feature_tensors(feature)
            if tensor.embedded
        ]

    def call(self, inputs: TowerInput) -> list[tf.Tensor]:
        """Return one tensor a field."""
        parts: list[tf.Tensor] = []
        table = value = 0
        for tensor in self._tensors:
            if tensor.embedded:
                parts.append(self._tables[table](inputs.ids[:, table]))
                table += 1
            else:
                parts.append(inputs.values[:, value : value + tensor.width])
                value += tensor.width
        return parts


def _table(tensor: Tensor, dim: int, vocabulary_sizes: Mapping[str, int]) -> tf.keras.layers.Layer:
    """Return the embedding of ids: 0 for missing, then buckets, or tokens and an unknown one."""
    # TFT puts a placeholder into an empty vocabulary, so that the unknown token comes after it.
    ids = tensor.buckets or max(1, vocabulary_sizes[tensor.column]) + 1
    initial = tf.keras.initializers.RandomUniform(-_EMBEDDING_RANGE, _EMBEDDING_RANGE)
    return tf.keras.layers.Embedding(1 + ids, dim, embeddings_initializer=initial)
