"""The examples of a split as Arrow columns, for what looks at all rows at once."""

from collections.abc import Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import pyarrow as pa
import tensorflow as tf
from tfx.types import Artifact, artifact_utils
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

_ROWS_PER_BATCH = 50_000
_READ_BUFFER_BYTES = 8 << 20


def read_split(examples: Sequence[Artifact], split: str) -> pa.RecordBatch:
    """Return all rows of a split; each column has a list a row, null where the feature is missing.

    Args:
        examples: the one artifact of an ExampleGen, gzipped TFRecords of `tf.train.Example`.
        split: name of the split.
    """
    folder = artifact_utils.get_split_uri(list(examples), split)
    files = sorted(tf.io.gfile.glob(f"{folder}/*"))
    # Bytes don't pass through tf.data twice: a batch is one NumPy array of records.
    records = tf.data.TFRecordDataset(files, "GZIP", _READ_BUFFER_BYTES).batch(_ROWS_PER_BATCH)
    decoder = ExamplesToRecordBatchDecoder()
    batches = [decoder.DecodeBatch(list(some)) for some in records.as_numpy_iterator()]
    table = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches], promote=True)
    (batch,) = table.combine_chunks().to_batches()
    return batch
