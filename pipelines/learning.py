"""What Transform learns from train: vocabularies, moments and quantiles.

In the cloud TFT's analyzers learn them in Beam. On this machine the same is computed at once from
the columns, so that the graph needs no analysis.
"""

from pathlib import Path
from typing import Any, Protocol

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray
from tensorflow_transform.analyzers import (
    QuantilesCombiner,
    get_empy_vocabulary_dummy_value,
    sanitized_vocab_filename,
)

from pipelines.tensors import safe_name

_EPSILON = 0.01
"""TFT's default error of quantiles."""


class Learner(Protocol):
    """Learns from one column; `values` are the present ones `[n]` of a traced batch."""

    def vocabulary(self, column: str, tokens: tf.Tensor) -> Any:  # noqa: ANN401 - TFT's own type
        """Return the file of the tokens by falling frequency, as `tft.apply_vocabulary` takes it.

        Equal ones are in reverse lexicographic order; what is empty or has a line break is left
        out.
        """
        ...

    def moments(self, column: str, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean and variance, both float64."""
        ...

    def boundaries(self, column: str, values: tf.Tensor, buckets: int, *, temporal: bool) -> Any:  # noqa: ANN401 - TFT's own type
        """Return the quantiles between buckets `[1, buckets - 1] float32`.

        Args:
            column: its name.
            values: as `bucket_scale` gives them.
            buckets: how many.
            temporal: whether the column holds times.
        """
        ...


class BeamLearner:
    """Learns by TFT's analyzers."""

    def vocabulary(self, column: str, tokens: tf.Tensor) -> Any:  # noqa: ANN401
        """Return the file to be."""
        return tft.vocabulary(tokens, vocab_filename=safe_name(column))

    def moments(self, column: str, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what they will be."""
        return tft.mean(values), tft.var(values)

    def boundaries(self, column: str, values: tf.Tensor, buckets: int, *, temporal: bool) -> Any:  # noqa: ANN401
        """Return what they will be."""
        return tft.quantiles(values, buckets, epsilon=min(1 / buckets, _EPSILON))


class ExactLearner:
    """Learns from all rows at once.

    Args:
        rows: train, a list a row in each column.
        folder: where vocabulary files may be written; they end up in the SavedModel.
    """

    def __init__(self, rows: pa.RecordBatch, folder: Path) -> None:
        self._rows = rows
        self._folder = folder

    def vocabulary(self, column: str, tokens: tf.Tensor) -> str:
        """Return the path of a file that is there; TFT makes an asset only of one that is text."""
        found = self._present(column)
        if not pa.types.is_large_binary(found.type):
            # As the graph does it: TensorFlow's text of a number is not Arrow's.
            with tf.init_scope():
                found = pa.array(tf.strings.as_string(found.to_numpy()).numpy(), pa.large_binary())
        counted = found.value_counts()
        counts = dict(
            zip(
                counted.field("values").to_pylist(),
                counted.field("counts").to_pylist(),
                strict=True,
            )
        )
        kept = [token for token in counts if token and b"\n" not in token and b"\r" not in token]
        kept.sort(key=lambda token: (counts[token], token), reverse=True)
        placeholder = get_empy_vocabulary_dummy_value(tf.string)[1]
        path = self._folder / sanitized_vocab_filename(filename=safe_name(column))
        path.write_bytes(b"".join(token + b"\n" for token in kept or [placeholder]))
        return str(path)

    def moments(self, column: str, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return constants."""
        known = self._present(column).to_numpy().astype(np.float64)
        mean, variance = (known.mean(), known.var()) if len(known) else (0.0, 0.0)
        return tf.constant(mean, tf.float64), tf.constant(variance, tf.float64)

    def boundaries(
        self, column: str, values: tf.Tensor, buckets: int, *, temporal: bool
    ) -> tf.Tensor:
        """Return constants, by the sketch that TFT's analyzer has."""
        scaled = bucket_scale(self._present(column).to_numpy(), temporal=temporal)
        combiner = QuantilesCombiner(
            buckets, min(1 / buckets, _EPSILON), np.float32, output_shape=[1, buckets - 1]
        )
        sketch = combiner.add_input(combiner.create_accumulator(), [scaled])
        return tf.constant(combiner.extract_output(combiner.compact(sketch))[0])

    def _present(self, column: str) -> pa.Array:
        lists = self._rows.column(self._rows.schema.get_field_index(column))
        if pa.types.is_null(lists.type):
            return pa.array([], pa.large_binary())  # so the schema takes a column without values
        values = lists.flatten()
        if pa.types.is_floating(values.type):
            return values.filter(pc.is_finite(values))
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            values = values.cast(pa.large_binary())
            return values.filter(pc.greater(pc.binary_length(values), 0))
        return values


_MINUTE = 60_000_000
_BUCKET_ORIGIN = 1_577_836_800_000_000
"""2020-01-01 in epoch microseconds. TFT cuts buckets in float32, which holds whole minutes for 32
years around it, but no microseconds. (Buckets of z-scores would need a second analysis, and TFT
1.16 can't run one on this Beam.)"""


def bucket_scale(values: NDArray[Any], *, temporal: bool) -> NDArray[np.float32]:
    """Return what is cut into buckets: numbers as float32, times as minutes around 2020."""
    if temporal:
        values = (values - _BUCKET_ORIGIN).astype(np.float64) / _MINUTE
    return values.astype(np.float32)


def bucket_scale_tensor(values: tf.Tensor, *, temporal: bool) -> tf.Tensor:
    """Return the same of a tensor."""
    if temporal:
        values = tf.cast(values - _BUCKET_ORIGIN, tf.float64) / _MINUTE
    return tf.cast(values, tf.float32)
