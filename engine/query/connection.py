"""DuckDB, in memory, without a network, and what it says when something is wrong.

No extension may be installed or loaded from elsewhere, so that looking at data never touches the
network.
"""

import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.errors import InvalidInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ERROR_KIND = re.compile(r"^(?:[A-Z][A-Za-z ]* (?:Error|Exception): )+")
_NO_CSV = "it is no CSV file with one separator, one kind of quotes and one kind of line ends."
_NOISE = ("Original Line", "Possible", "LINE ", "^")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def open_duckdb() -> Generator["DuckDBPyConnection"]:
    """Open DuckDB in memory, without extensions from elsewhere, in UTC."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="towerlab-") as spill,
        duckdb.connect(config={**_CONFIG, "temp_directory": spill}) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def fetch_one(connection: "DuckDBPyConnection", query: exp.Select) -> tuple[Any, ...]:
    """Return the only row of a query.

    Raises:
        InvalidInput: the data cannot be read.
    """
    return run(connection, query)[0]


def fetch_values(
    connection: "DuckDBPyConnection", relation: Expr, values: list[Expr]
) -> tuple[Any, ...]:
    """Return aggregates over what stands in FROM; raises like `fetch_one`."""
    return fetch_one(connection, exp.select(*values).from_(relation))


def run(connection: "DuckDBPyConnection", query: Expr) -> list[tuple[Any, ...]]:
    """Run a query over the data; raises like `fetch_one`."""
    import duckdb

    try:
        return connection.execute(query.sql("duckdb")).fetchall()
    except (duckdb.Error, UnicodeError) as error:
        raise InvalidInput(f"The data cannot be read: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Return what DuckDB says in one line, without the kind of its error and without SQL."""
    if "sniffing" in str(error):
        return _NO_CSV
    lines = [line.strip() for line in str(error).split("\n")]
    told = [line for line in lines[:3] if line and not line.startswith(_NOISE)]
    return _ERROR_KIND.sub("", ": ".join(told[:2]))[:300]
