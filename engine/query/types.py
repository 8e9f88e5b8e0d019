"""SQL types of sources, sorted into the few kinds that the queries tell apart."""

import re
from typing import Literal

Dialect = Literal["duckdb", "bigquery"]
Kind = Literal["integer", "float", "boolean", "text", "time", "list", "other"]
"""`list` holds text or whole numbers; `other` is what no query can use: other lists, structs,
binary data, times of day, intervals."""

NOUNS: dict[Kind, str] = {
    "integer": "whole numbers",
    "float": "numbers",
    "boolean": "true and false",
    "text": "text",
    "time": "times",
    "list": "lists of text or whole numbers",
    "other": "structures, nested lists or binary data",
}
"""What a column of a kind holds."""

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_BIGQUERY_INTEGERS = {"INT64"}
_WIDE_INTEGERS = {"HUGEINT", "UHUGEINT", "UBIGINT"}
"""Integers that INT64 cannot hold are read as floats."""
_FLOATS = {"FLOAT", "DOUBLE", "DECIMAL", *_WIDE_INTEGERS}
_BIGQUERY_FLOATS = {"FLOAT64", "NUMERIC", "BIGNUMERIC"}
_TEXTS = {"VARCHAR", "UUID", "ENUM", "STRING"}
_BASE = re.compile(r"[A-Z0-9_]+")
_LIST = re.compile(r"(.+)\[\d*\]|ARRAY<(.+)>", re.DOTALL)


def kind_of(sql_type: str) -> Kind:
    """Return the kind of a DuckDB or BigQuery type, as "DECIMAL(18,2)" or "VARCHAR[]"."""
    name = sql_type.upper()
    if listed := _LIST.fullmatch(name):
        element = kind_of(listed.group(1) or listed.group(2))
        return "list" if element in {"integer", "text"} else "other"
    match = _BASE.match(name)
    base = match.group() if match else name
    if base in _INTEGERS or base in _BIGQUERY_INTEGERS:
        return "integer"
    if base in _FLOATS or base in _BIGQUERY_FLOATS:
        return "float"
    if base in {"BOOLEAN", "BOOL"}:
        return "boolean"
    if base in _TEXTS:
        return "text"
    if base in {"DATE", "DATETIME"} or base.startswith("TIMESTAMP"):
        return "time"
    return "other"


def is_whole(sql_type: str) -> bool:
    """Return whether a numeric type holds whole numbers only, as DECIMAL(38,0)."""
    name = sql_type.upper().replace(" ", "")
    return kind_of(name) == "integer" or name in _WIDE_INTEGERS or name.endswith(",0)")
