"""Files of test rows as the Trainer writes them."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def rows_file(buyers, *, key_offset=0, **measured):
    """Return a `test_rows.parquet` of as many rows as there are buyers.

    Args:
        buyers: a number for each row.
        key_offset: added to the row keys 0, 1, …
        measured: columns by name; NaN becomes null.
    """
    count = len(buyers)
    table = pa.table(
        {
            "row_key": pa.array(np.arange(count) + key_offset, pa.int64()),
            "buyer": pa.array([f"b{b}" for b in buyers], pa.string()),
            "product": pa.array([f"p{i % 7}" for i in range(count)], pa.string()),
            "seen_in_train": pa.array([False] * count, pa.bool_()),
            **{
                name: pa.array(np.asarray(values, np.float64), pa.float64(), from_pandas=True)
                for name, values in measured.items()
            },
        }
    )
    return file_of(table)


def file_of(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
