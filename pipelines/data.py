"""The examples of a split as arrays in memory, ready for the towers.

Examples are parsed and transformed once, not once an epoch: what is left of a row are two ids, a
few integers and floats, so that a million rows take a few hundred megabytes.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from engine.spec import ROW_KEY, SPLITS, Cross, ExperimentSpec, Feature, SplitName, Target
from pipelines.errors import RunFailure
from pipelines.example_columns import batches
from pipelines.memory import check_rows
from pipelines.tensors import tower_tensors

_ROWS_PER_BATCH = 16_384


class Column(NamedTuple):
    """One feature of some rows as it is handed to TensorFlow.

    Attributes:
        splits: where each row's values begin, and the last one's end `[rows + 1] int64`.
        values: `[values]`, int64 or float32; of text the numbers of the words, int32.
        words: the distinct values of text `[words] string`.
    """

    splits: Any
    values: Any
    words: Any


class TowerInput(NamedTuple):
    """What a tower reads, as arrays or as tensors.

    Attributes:
        ids: `[rows, embedded tensors] int32`.
        values: `[rows, widths of the other tensors] float32`.
        histories: `[rows, lengths of the histories] int32`, 0 where a list is shorter; `()` stands
            for none.
    """

    ids: Any
    values: Any
    histories: Any = ()

    def take(self, rows: Any) -> "TowerInput":  # noqa: ANN401 - indices or a slice
        """Return some of the rows of arrays."""
        histories = self.histories[rows] if len(self.histories) else self.histories
        return TowerInput(self.ids[rows], self.values[rows], histories)


class Examples(NamedTuple):
    """One split.

    Attributes:
        buyer: buyer ids `[rows]`, bytes objects.
        product: product ids `[rows]`, bytes objects.
        row_key: `[rows] int64`.
        timestamp: epoch microseconds `[rows] int64`; the rows' order where the data has none.
        query: the query tower's input.
        candidate: the candidate tower's input.
        label: the target in its own unit `[rows] float32`, NaN where a row has none; None where
            the feature config has no target.
    """

    buyer: NDArray[np.object_]
    product: NDArray[np.object_]
    row_key: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    query: TowerInput
    candidate: TowerInput
    label: NDArray[np.float32] | None = None


def split_files(patterns: Iterable[str], split: SplitName) -> list[str]:
    """Return the files of one split among TFX's file patterns."""
    own = [pattern for pattern in patterns if f"/Split-{split}/" in pattern]
    return sorted(file for pattern in own for file in tf.io.gfile.glob(pattern))


def stack_tensors(
    transformed: Mapping[str, tf.Tensor], features: Sequence[Feature | Cross], rows: tf.Tensor
) -> TowerInput:
    """Return one tower's input from the transformed features; a tensor that isn't there is 0."""
    ids, values = [], []
    histories = [tf.zeros([rows, 0], tf.int32)]
    for tensor in tower_tensors(features):
        if tensor.embedded:
            missing = tf.zeros([rows], tf.int64)
            ids.append(tf.cast(transformed.get(tensor.name, missing), tf.int32))
        elif tensor.vocabulary is not None:
            none = tf.zeros([rows, tensor.width], tf.int64)
            histories.append(tf.cast(transformed.get(tensor.name, none), tf.int32))
        else:
            values.append(transformed.get(tensor.name, tf.zeros([rows, tensor.width])))
    empty = tf.zeros([rows, 0])
    return TowerInput(
        ids=tf.stack(ids, axis=1),
        values=tf.concat([empty, *values], axis=1),
        histories=tf.concat(histories, axis=1),
    )


def load_splits(
    patterns: Sequence[str], spec: ExperimentSpec, transform: tft.TFTransformOutput
) -> dict[SplitName, Examples]:
    """Read, parse and transform the examples of every split.

    Raises:
        RunFailure: a split has no rows, or more than memory holds.
    """
    signature = _signature(transform.raw_feature_spec())
    # Traced once for all splits: loading and tracing the transform graph takes over 2 s.
    parse = tf.function(_parser(spec, transform), input_signature=[signature], autograph=False)

    def columns_of(split: SplitName) -> tf.data.Dataset:
        raw_spec, files = transform.raw_feature_spec(), split_files(patterns, split)
        return tf.data.Dataset.from_generator(
            lambda: (_columns(batch, raw_spec) for batch in batches(files, _ROWS_PER_BATCH)),
            output_signature=signature,
        )

    return {split: _load(columns_of(split), spec, parse, split) for split in SPLITS}


def _signature(raw_spec: Mapping[str, Any]) -> dict[str, Column]:
    """Return the shapes and types of the columns of any rows."""
    return {
        name: Column(
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.int32 if feature.dtype == tf.string else feature.dtype),
            tf.TensorSpec([None], tf.string),
        )
        for name, feature in raw_spec.items()
    }


def _columns(batch: pa.RecordBatch, raw_spec: Mapping[str, Any]) -> dict[str, Column]:
    """Return the columns that the transform graph knows; one that isn't there has no values."""
    found: dict[str, Column] = {}
    for name, feature in raw_spec.items():
        text, splits = feature.dtype == tf.string, np.zeros(batch.num_rows + 1, np.int64)
        values = np.zeros(0, np.int32 if text else feature.dtype.as_numpy_dtype)
        words: Any = np.zeros(0, object)
        index = batch.schema.get_field_index(name)
        if index >= 0 and not pa.types.is_null(batch.schema.field(index).type):
            lists = batch.column(index)
            np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy(), out=splits[1:])
            values = lists.flatten()
            if text:
                coded = values.dictionary_encode()
                values, words = coded.indices, coded.dictionary.to_numpy(zero_copy_only=False)
            values = values.to_numpy()
        found[name] = Column(splits, values, words)
    return found


def _load(
    columns: tf.data.Dataset,
    spec: ExperimentSpec,
    parse: Callable[[Any], dict[str, Any]],
    split: SplitName,
) -> Examples:
    dataset = columns.map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1)
    parts: list[Any] = []
    rows = size = 0
    for part in dataset.as_numpy_iterator():
        parts.append(part)
        rows += len(part["row_key"])
        size += sum(array.nbytes for array in tf.nest.flatten(part))
        check_rows(rows, size)
    if not parts:
        raise RunFailure(
            f"The {split} split has no rows.",
            hint="Use a larger sample, wider filters or another split.",
        )
    examples = Examples(**tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts))
    examples = in_order(examples)
    if spec.features.target is None:
        examples = examples._replace(label=None)
    if spec.examples.timestamp is None:
        return examples._replace(timestamp=np.arange(len(examples.product)))
    return examples


def in_order(examples: Examples) -> Examples:
    """Return the rows by row key, those of one key by their values, however they were written."""
    order = np.argsort(examples.row_key, kind="stable")
    keys = examples.row_key[order]
    same = keys[1:] == keys[:-1]
    tied = np.append(same, False) | np.insert(same, 0, False)
    rows = order[tied]
    alike = tf.nest.map_structure(lambda array: array[rows], examples)
    alike = alike._replace(buyer=alike.buyer.astype("S"), product=alike.product.astype("S"))
    columns = [column for a in tf.nest.flatten(alike) for column in np.atleast_2d(a.T)]
    order[tied] = rows[np.lexsort([*columns, keys[tied]])]
    return tf.nest.map_structure(lambda array: array[order], examples)


def _parser(
    spec: ExperimentSpec, transform: tft.TFTransformOutput
) -> Callable[[dict[str, Column]], dict[str, Any]]:
    """Return a function from the columns of some rows to the tensors of `Examples`."""
    layer = transform.transform_features_layer()
    query = spec.examples

    def column(raw: Mapping[str, tf.SparseTensor], name: str | None, dtype: tf.DType) -> tf.Tensor:
        sparse = raw.get(name) if name else None
        if sparse is None:
            return tf.zeros([tf.shape(raw[query.product])[0]], dtype)
        one_wide = tf.SparseTensor(
            sparse.indices, sparse.values, tf.stack([sparse.dense_shape[0], 1])
        )
        default = (
            tf.constant("", tf.string) if dtype == tf.string else tf.constant(dtype.min, dtype)
        )
        return tf.squeeze(tf.sparse.to_dense(one_wide, default), 1)

    def parse(columns: dict[str, Column]) -> dict[str, Any]:
        raw = {name: _sparse(column) for name, column in columns.items()}
        transformed = layer(raw)
        rows = tf.size(columns[query.product].splits) - 1
        return dict(
            buyer=column(raw, query.buyer, tf.string),
            product=column(raw, query.product, tf.string),
            row_key=column(raw, ROW_KEY, tf.int64),
            timestamp=column(raw, query.timestamp, tf.int64),
            query=stack_tensors(transformed, spec.features.buyer_inputs, rows),
            candidate=stack_tensors(transformed, spec.features.product_inputs, rows),
            label=_label(raw, spec.features.target, rows),
        )

    return parse


def _sparse(column: Column) -> tf.SparseTensor:
    """Return a column as the transform graph takes it, `[rows, most values of a row]`."""
    text = column.values.dtype == tf.int32
    values = tf.gather(column.words, column.values) if text else column.values
    return tf.RaggedTensor.from_row_splits(values, column.splits, validate=False).to_sparse()


def _label(raw: Mapping[str, tf.SparseTensor], target: Target | None, rows: tf.Tensor) -> tf.Tensor:
    """Return the target in its own unit `[rows] float32`, NaN where a row has none."""
    column = raw.get(target.column) if target else None
    if column is None:
        return tf.fill([rows], math.nan)
    shape = tf.stack([column.dense_shape[0], 1])
    values = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), shape)
    return tf.squeeze(tf.sparse.to_dense(values, math.nan), 1)
