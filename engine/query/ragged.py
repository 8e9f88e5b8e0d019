"""Which line of a CSV file has another number of fields than its header."""

import csv
import gzip
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_SEPARATORS = (",", ";", "\t", "|")


def separator_in(header: str) -> str:
    """Return the separator that stands in a header most often; empty where none does."""
    best = max(_SEPARATORS, key=header.count)
    return best if best in header else ""


def ragged_line(path: Path) -> str:
    """Return which line has how many fields against the header's; empty where all are alike."""
    try:
        with _opened(path) as file:
            header = file.readline()
            separator = separator_in(header)
            if not separator:
                return ""
            expected = len(next(csv.reader([header], delimiter=separator)))
            reader = csv.reader(file, delimiter=separator)
            for fields in reader:
                if fields and len(fields) != expected:
                    line = reader.line_num + 1
                    found = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
                    return f"line {line:,} has {found}, but the header has {expected}"
    except (OSError, UnicodeError, csv.Error):
        return ""  # what DuckDB says is all that is known then
    return ""


@contextmanager
def _opened(path: Path) -> Generator[TextIO]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file
