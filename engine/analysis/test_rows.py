"""The test rows of a run, as its `test_rows.parquet` has them; the file is foreign."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_IDS = ("row_key", "buyer", "product")
RANK, RANK_TIES, LABEL, PREDICTION = "rank", "rank_ties", "label", "prediction"
_MEASURED = (RANK, RANK_TIES, LABEL, PREDICTION)


@dataclass(frozen=True)
class TestRows:
    """One run's test rows, ordered by key, buyer, product and occurrence.

    Attributes:
        row_key: `[rows] int64`.
        buyer: ids `[rows]`.
        product: ids `[rows]`.
        measured: by column ("rank", "rank_ties", "label", "prediction") `[rows] float64`, NaN where
            unknown; what the model type or an earlier version doesn't have is missing.
    """

    row_key: NDArray[np.int64]
    buyer: NDArray[Any]
    product: NDArray[Any]
    measured: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.row_key)

    def same_as(self, other: "TestRows") -> bool:
        """Whether both runs were tested on the same rows."""
        return (
            len(self) == len(other)
            and np.array_equal(self.row_key, other.row_key)
            and np.array_equal(self.buyer, other.buyer)
            and np.array_equal(self.product, other.product)
        )

    def shared_with(self, other: "TestRows") -> int:
        """Return how many row keys occur in both."""
        return len(np.intersect1d(self.row_key, other.row_key))


def read_test_rows(content: bytes) -> TestRows:
    """Parse a `test_rows.parquet`.

    Raises:
        InvalidInput: it is damaged, or lacks what every run writes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
        missing = [name for name in _IDS if name not in table.column_names]
        if missing:
            raise InvalidInput(f"The test rows have no {', '.join(missing)}.")
        ids = [_ids(table, name) for name in _IDS]
        measured = {
            name: table[name].cast(pa.float64()).to_numpy().astype(np.float64)
            for name in _MEASURED
            if name in table.column_names
        }
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InvalidInput("The test rows cannot be read: their file is damaged.") from error
    key, buyer, product = ids
    order = np.lexsort((product, buyer, key))
    return TestRows(
        key[order], buyer[order], product[order], {n: v[order] for n, v in measured.items()}
    )


def _ids(table: "pa.Table", name: str) -> NDArray[Any]:
    """Return a column of ids; text as fixed-width UTF-8, which sorts and compares fast."""
    import pyarrow as pa

    column = table[name]
    if column.null_count:
        raise InvalidInput(f"Some test rows have no {name}.")
    if name == "row_key":
        return column.cast(pa.int64()).to_numpy()
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    distinct = [text.encode() for text in encoded.dictionary.to_pylist()]
    return np.asarray(distinct, np.bytes_)[encoded.indices.to_numpy()]
