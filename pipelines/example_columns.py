"""The examples of a split as Arrow columns, whichever way they were written."""

from collections.abc import Iterator, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow as tf
from tfx.types import Artifact, artifact_utils
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

PARQUET = ".parquet"
_ROWS_PER_BATCH = 50_000
_READ_BUFFER_BYTES = 8 << 20


def read_split(examples: Sequence[Artifact], split: str) -> pa.RecordBatch:
    """Return all rows of a split as `batches` has them; a column without a value has no type.

    Args:
        examples: the one artifact of an ExampleGen.
        split: name of the split.
    """
    folder = artifact_utils.get_split_uri(list(examples), split)
    found = batches(sorted(tf.io.gfile.glob(f"{folder}/*")))
    table = pa.concat_tables([pa.Table.from_batches([batch]) for batch in found], promote=True)
    (batch,) = table.combine_chunks().to_batches()
    rows = batch.num_rows
    columns = [pa.nulls(rows) if column.null_count == rows else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def batches(files: Sequence[str], rows: int = _ROWS_PER_BATCH) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files; each column has a list a row, null where the feature is missing.

    Args:
        files: Parquet, as our ExampleGen writes it, or gzipped TFRecords of `tf.train.Example`, as
            those of TFX do.
        rows: at most so many at once.
    """
    parquet = [file for file in files if file.endswith(PARQUET)]
    for file in parquet:
        for batch in pq.ParquetFile(file).iter_batches(rows):
            yield as_lists(batch)
    records = [file for file in files if not file.endswith(PARQUET)]
    if records:
        # Bytes don't pass through tf.data twice: a batch is one NumPy array of records.
        dataset = tf.data.TFRecordDataset(records, "GZIP", _READ_BUFFER_BYTES).batch(rows)
        decoder = ExamplesToRecordBatchDecoder()
        for some in dataset.as_numpy_iterator():
            yield decoder.DecodeBatch(list(some))


def as_values(column: pa.Array) -> pa.Array:
    """Return the values, or the lists of values without nulls, in one of an example's three types.

    An empty list becomes null: a feature that isn't there.
    """
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        values, rows = column.flatten(), pc.list_parent_indices(column).to_numpy()
        known = values.is_valid().to_numpy(zero_copy_only=False)
        counts = np.bincount(rows[known], minlength=len(column))
        return _lists(as_values(values.drop_null()), counts)
    if pa.types.is_floating(kind):
        return column.cast(pa.float32())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.int64())
    return column.cast(pa.binary())


def as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch as TFDV and tfx_bsl want it: each value a list of one, each null a null."""
    columns = [_as_list(as_values(column)) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _as_list(column: pa.Array) -> pa.ListArray:
    if pa.types.is_list(column.type):
        return column
    known = column.is_valid().to_numpy(zero_copy_only=False)
    return _lists(column.drop_null(), known.astype(np.int64))


def _lists(values: pa.Array, counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.ListArray:
    """Return lists of so many values each, null where there are none."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(counts == 0, False)), values)
