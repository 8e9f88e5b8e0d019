"""`preprocessing_fn`: from columns to the tensors of the towers, as the feature config says.

Everything that is learnt here (vocabularies, moments, quantiles) is learnt from train alone.
A missing value is a null, an empty string, or a number that is not finite:

    embed       0 missing; 1 … V by falling frequency in train; V+1 a token that train doesn't have
                (or one with a line break, which TFT's vocabulary files can't hold)
    normalize   z-score by train's mean and standard deviation; 0 when missing or constant in train
    bucketize   0 missing; 1 … buckets by train's quantiles
    cyclical_*  sin and cos of the position in the calendar period, UTC; (0, 0) when missing
    cross       0 when one of the columns is missing; 1 … buckets by the hash of the columns' tokens
                and of the others' buckets by train's quantiles; what train doesn't have is hashed
                like anything else
    average     the last ids of a list, oldest first, numbered by the product id's vocabulary and
                padded with 0 at the end; what is empty in a list is left out; an unknown id is V+1

A column without any value in train has no tensor: in every row it is missing.
"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf
import tensorflow_transform as tft

from engine.spec import DataType, ExperimentSpec, SqlType
from pipelines import calendar_position, learning
from pipelines import tensors as tensor_names
from pipelines.code_hash import code_hash
from pipelines.errors import RunFailure
from pipelines.learning import BeamLearner, Learner, bucket_scale_tensor
from pipelines.tensors import Part, Tensor, all_tensors

TENSORS = "tensors"
COLUMN_TYPES = "column_types"
CODE_HASH = "code_hash"

_DTYPES: dict[SqlType, tf.DType] = {"INT64": tf.int64, "FLOAT": tf.float32, "STRING": tf.string}


def transform_config(spec: ExperimentSpec) -> dict[str, Any]:
    """Return Transform's `custom_config`: all that its output depends on besides the examples.

    Feature configs that differ in anything else (names, towers, embedding dimensions, target) share
    the cached result.
    """
    tensors = all_tensors(spec.features)
    used = {column for tensor in tensors for column in tensor.columns}
    return {
        TENSORS: [list(tensor) for tensor in tensors],
        COLUMN_TYPES: {c.name: c.type for c in spec.examples.columns if c.name in used},
        CODE_HASH: code_hash(
            __file__, learning.__file__, tensor_names.__file__, calendar_position.__file__
        ),
    }


def preprocessing_fn(
    inputs: Mapping[str, tf.SparseTensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Transform one batch of raw features.

    Args:
        inputs: every column that train has values of, sparse: `[batch, 0 or 1]`, `[batch, n]` of
            lists.
        custom_config: as made by `transform_config`.

    Returns:
        Tensors by `Tensor.name`: ids `[batch] int64`, those of histories `[batch, length] int64`,
        normalized values `[batch, 1] float32`, cyclical ones `[batch, 2] float32`. Those of a
        column without any value in train are left out: they would be 0 in every row.
    """
    return preprocess(inputs, custom_config, BeamLearner())


def preprocess(
    inputs: Mapping[str, tf.SparseTensor], custom_config: Mapping[str, Any], learner: Learner
) -> dict[str, tf.Tensor]:
    """Return the same, learnt in a way of one's own; see `preprocessing_fn`."""
    types: Mapping[str, SqlType] = custom_config[COLUMN_TYPES]
    columns = {
        name: _Column(name, inputs[name], learner)
        for name, sql_type in types.items()
        if name in inputs and inputs[name].dtype == _DTYPES[sql_type]
    }
    tensors = (Tensor.of_json(fields) for fields in custom_config[TENSORS])
    return {
        tensor.name: _tensor(tensor, columns)
        for tensor in tensors
        if columns.keys() >= set(tensor.columns)
    }


def _tensor(tensor: Tensor, columns: Mapping[str, "_Column"]) -> tf.Tensor:
    if tensor.parts:
        return _cross(tensor, columns)
    if tensor.vocabulary is not None:
        return columns[tensor.column].history(columns[tensor.vocabulary], tensor.width)
    return columns[tensor.column].transform(tensor)


def _cross(tensor: Tensor, columns: Mapping[str, "_Column"]) -> tf.Tensor:
    """Return a cross's ids `[rows] int64`: FarmHash's Fingerprint64 of the key, modulo buckets.

    Each column stands in the key with its length in bytes, "5:urban": so no two keys are equal
    whose columns are not.
    """
    assert tensor.buckets is not None
    tokens = [columns[part.column].token(part) for part in tensor.parts]
    keys = [tf.strings.join([tf.strings.as_string(tf.strings.length(t)), ":", t]) for t in tokens]
    ids = 1 + tf.strings.to_hash_bucket_fast(tf.strings.join(keys), tensor.buckets)
    complete = tf.reduce_all(tf.stack([tf.strings.length(t) > 0 for t in tokens]), axis=0)
    return tf.where(complete, ids, tf.zeros_like(ids))


class _Column:
    """One raw column: the present values of its rows, or their lists."""

    def __init__(self, name: str, column: tf.SparseTensor, learner: Learner) -> None:
        self._name = name
        self._learner = learner
        self._lists = column

    @cached_property
    def _present(self) -> tf.SparseTensor:
        """The values of a column that has at most one a row, `[rows, 1]`."""
        rows = self._lists.dense_shape[0]
        shape = tf.stack([rows, tf.constant(1, tf.int64)])
        return _present(tf.SparseTensor(self._lists.indices, self._lists.values, shape))

    def transform(self, tensor: Tensor) -> tf.Tensor:
        """Return one tensor of the column."""
        if tensor.transform == "embed":
            return self._ids()
        self._check_numbers(tensor.transform)
        if tensor.transform == "normalize":
            return tf.expand_dims(self._spread(self._scores()), 1)
        if tensor.transform == "bucketize":
            assert tensor.buckets is not None
            return self._spread(self._buckets(tensor.data_type, tensor.buckets))
        period = tensor.transform.removeprefix("cyclical_")
        return self._cycle(calendar_position.POSITIONS[period])

    def token(self, part: Part) -> tf.Tensor:
        """Return what a cross joins `[rows] string`: text or a bucket, empty when missing."""
        if part.buckets is None:
            return self._spread(self._tokens())
        self._check_numbers("cross")
        return self._spread(tf.strings.as_string(self._buckets(part.data_type, part.buckets)))

    def _check_numbers(self, transform: str) -> None:
        if self._present.dtype == tf.string:
            raise RunFailure(
                f'Column "{self._name}" holds text, which {transform} can\'t read.',
                hint="Give the feature the data type text, or cast the column in the dataset.",
            )

    def _spread(self, values: tf.Tensor) -> tf.Tensor:
        """Spread the values of the rows that have one over all `[rows]`; 0 or "" elsewhere."""
        sparse = tf.SparseTensor(self._present.indices, values, self._present.dense_shape)
        return tf.squeeze(tf.sparse.to_dense(sparse), 1)

    def _tokens(self) -> tf.Tensor:
        values = self._present.values
        return values if values.dtype == tf.string else tf.strings.as_string(values)

    def _ids(self) -> tf.Tensor:
        return self._spread(self._numbered(self._tokens()))

    def _numbered(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the ids of some tokens `[n] int64` by this column's vocabulary, from 1 on."""
        return tft.apply_vocabulary(tokens, self._vocabulary, num_oov_buckets=1) + 1

    @cached_property
    def _vocabulary(self) -> Any:  # noqa: ANN401 - TFT's own type of a file to be
        return self._learner.vocabulary(self._name, self._tokens())

    def history(self, product: "_Column", length: int) -> tf.Tensor:
        """Return the last ids of each row's list by the product's vocabulary `[rows, length]`."""
        present = _present(self._lists)
        ids = product._numbered(present.values)
        rows = self._lists.dense_shape[0]
        lists = tf.RaggedTensor.from_value_rowids(ids, present.indices[:, 0], rows)
        return lists[:, -length:].to_tensor(0, shape=[None, length])

    def _scores(self) -> tf.Tensor:
        """Return z-scores `[present] float32`, computed in float64, which holds microseconds."""
        values = tf.cast(self._present.values, tf.float64)
        mean, variance = self._learner.moments(self._name, values)
        deviation = tf.sqrt(variance)
        varies = deviation > 0
        scores = (values - mean) / tf.where(varies, deviation, tf.ones_like(deviation))
        return tf.cast(tf.where(varies, scores, tf.zeros_like(scores)), tf.float32)

    def _buckets(self, data_type: DataType | Literal["cross"], buckets: int) -> tf.Tensor:
        """Return buckets from 1 on `[present] int64`."""
        temporal = data_type == "temporal"
        values = bucket_scale_tensor(self._present.values, temporal=temporal)
        found = self._learner.boundaries(self._name, values, buckets, temporal=temporal)
        return tft.apply_buckets(values, found) + 1

    def _cycle(self, position: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        angle = 2 * math.pi * position(self._present.values)
        waves = (tf.cast(wave, tf.float32) for wave in (tf.sin(angle), tf.cos(angle)))
        return tf.stack([self._spread(wave) for wave in waves], axis=1)


def _present(column: tf.SparseTensor) -> tf.SparseTensor:
    """Return a column without the values that count as missing."""
    if column.dtype == tf.string:
        return tf.sparse.retain(column, tf.strings.length(column.values) > 0)
    if column.dtype == tf.float32:
        return tf.sparse.retain(column, tf.math.is_finite(column.values))
    return column
