"""BigQuery's SQL, run by DuckDB: there is no BigQuery here."""

import sqlglot
import sqlglot.expressions as exp


def as_duckdb(sql: str) -> str:
    """Return a query for tables that have the last part of their BigQuery names."""
    parsed = sqlglot.parse_one(sql, dialect="bigquery")
    for table in parsed.find_all(exp.Table):
        table.set("catalog", None)
        table.set("db", None)
    for place in [
        c for c in parsed.find_all(exp.Column) if c.name == "place" and not c.this.quoted
    ]:
        # sqlglot's translation of WITH OFFSET counts from one, BigQuery from zero.
        place.replace(exp.Paren(this=exp.Sub(this=place.copy(), expression=exp.convert(1))))
    return parsed.sql("duckdb")
