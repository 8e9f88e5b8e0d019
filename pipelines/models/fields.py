"""The features of a tower as fields: one tensor each, embedded where they are ids."""

from collections.abc import Mapping, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import Cross, Feature
from pipelines.data import TowerInput
from pipelines.tensors import feature_tensors

_EMBEDDING_RANGE = 0.05
"""Embeddings start uniform within ±0.05, Keras's default: small against what training adds."""


class SharedTables:
    """The embedding tables that both towers read, by the column whose vocabulary they have.

    The tower that has the column as its primary feature owns the table: it is among its weights
    alone, so that nothing counts or updates it twice. Keras doesn't look into this object.
    """

    def __init__(self, vocabulary_sizes: Mapping[str, int]) -> None:
        """Start without tables.

        Args:
            vocabulary_sizes: number of tokens that train has, by text column.
        """
        self._sizes = vocabulary_sizes
        self._tables: dict[str, tf.keras.layers.Layer] = {}

    def table(self, column: str, dim: int) -> tf.keras.layers.Layer:
        """Return the one table of a column."""
        if column not in self._tables:
            self._tables[column] = _table(_tokens(self._sizes[column]), dim)
        return self._tables[column]


class Fields(tf.keras.layers.Layer):
    """From a `TowerInput` to the fields of a tower, each `[batch, dim] float32`.

    A history's field is the mean of the embeddings of what is in the list, 0 where that is nothing.
    """

    def __init__(
        self,
        features: Sequence[Feature | Cross],
        vocabulary_sizes: Mapping[str, int],
        shared: SharedTables | None = None,
    ) -> None:
        """Make the embedding tables.

        Args:
            features: of one tower, its crosses last, in the order of the fields.
            vocabulary_sizes: number of tokens that train has, by text column.
            shared: the model's, given to both towers; a tower with a history needs it.
        """
        super().__init__(name="fields")
        self._tensors = [t for feature in features for t in feature_tensors(feature)]
        self._shared = shared or SharedTables(vocabulary_sizes)
        self._dims = [feature.dim or 0 for feature in features for _ in feature.transforms]
        primary = [f.column for f in features if isinstance(f, Feature) and f.primary]
        if shared is None and any(t.vocabulary not in {None, *primary} for t in self._tensors):
            raise ValueError("a history needs the tables of the other tower")
        for tensor, dim in zip(self._tensors, self._dims, strict=True):
            if tensor.vocabulary is not None:
                self._shared.table(tensor.vocabulary, dim)
        self._tables = [
            self._shared.table(tensor.column, dim)
            if tensor.transform == "embed" and tensor.column in primary
            else _table(tensor.buckets or _tokens(vocabulary_sizes[tensor.column]), dim)
            for tensor, dim in zip(self._tensors, self._dims, strict=True)
            if tensor.embedded
        ]

    def call(self, inputs: TowerInput) -> list[tf.Tensor]:
        """Return one tensor a field."""
        parts: list[tf.Tensor] = []
        table = value = place = 0
        for tensor, dim in zip(self._tensors, self._dims, strict=True):
            if tensor.embedded:
                parts.append(self._tables[table](inputs.ids[:, table]))
                table += 1
            elif tensor.vocabulary is not None:
                ids = inputs.histories[:, place : place + tensor.width]
                parts.append(_mean(self._shared.table(tensor.vocabulary, dim), ids))
                place += tensor.width
            else:
                parts.append(inputs.values[:, value : value + tensor.width])
                value += tensor.width
        return parts


def _mean(table: tf.keras.layers.Layer, ids: tf.Tensor) -> tf.Tensor:
    """Return the mean embedding of the ids that are not 0 `[batch, dim] float32`."""
    present = tf.cast(ids > 0, tf.float32)
    total = tf.einsum("bl,bld->bd", present, table(ids))
    return tf.math.divide_no_nan(total, tf.reduce_sum(present, axis=1, keepdims=True))


def _tokens(vocabulary_size: int) -> int:
    """Return the number of ids of tokens, an unknown one among them."""
    # TFT puts a placeholder into an empty vocabulary, so that the unknown token comes after it.
    return max(1, vocabulary_size) + 1


def _table(ids: int, dim: int) -> tf.keras.layers.Layer:
    """Return the embedding of so many ids and of 0, which is missing."""
    initial = tf.keras.initializers.RandomUniform(-_EMBEDDING_RANGE, _EMBEDDING_RANGE)
    return tf.keras.layers.Embedding(1 + ids, dim, embeddings_initializer=initial)
