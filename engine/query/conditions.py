"""The filters of a dataset as conditions: those on dates first, since the others may build on them.

A filter on products or customers sums over the rows that pass the filters on dates, and over these
only: so each means the same whatever other filters stand beside it.
"""

from collections.abc import Mapping
from dataclasses import replace

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.misfits import concerning
from engine.definitions.models import DatasetDefinition, Filter
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.aggregates import Groups, aggregate_condition
from engine.query.columns import Form, FormedColumn, SourceColumn, default_form
from engine.query.filters import condition
from engine.query.lookup import require_column
from engine.query.probing import Ask, check_whole_ids, time_source
from engine.query.rows import Condition, DatasetRows
from engine.query.types import Dialect


def conditions_of(
    rows: DatasetRows, columns: Mapping[str, SourceColumn], ask: Ask
) -> tuple[Condition, ...]:
    """Return the conditions of a dataset's filters, those on dates first.

    Args:
        rows: the rows, without conditions.
        columns: by alias, all of the dataset.
        ask: answers aggregates over a table.

    Raises:
        InvalidInput: a filter's column is missing, or its value doesn't fit.
    """
    dataset = rows.dataset
    on_dates: list[Condition] = []
    others: list[Condition] = []
    for i, filter_ in enumerate(dataset.filters):
        if filter_.of is None:
            with concerning("datasets", dataset.name, "filters", i):
                made = _on_column(rows, columns, filter_, i, ask)
            (others if made.time is None else on_dates).append(made)
    dated = replace(rows, conditions=tuple(on_dates))
    for i, filter_ in enumerate(dataset.filters):
        if filter_.of is not None:
            with concerning("datasets", dataset.name, "filters", i):
                others.append(_on_units(dated, columns, filter_, i))
    others.sort(key=lambda made: made.position)
    return (*on_dates, *others)


def _on_column(
    rows: DatasetRows,
    columns: Mapping[str, SourceColumn],
    filter_: Filter,
    position: int,
    ask: Ask,
) -> Condition:
    column = require_column(rows.dataset, columns, filter_.column, "A filter")
    if default_form(column) == "ids":
        raise InvalidInput(
            f"A filter: column {quoted(column.alias)} holds lists, which cannot be compared.",
            hint="Filter on a column with one value a row.",
        )
    used = rows.columns.get(filter_.column)
    is_time = filter_.on_dates or column.kind == "time" or (used and used.form == "time")
    form: Form = "time" if is_time else used.form if used else default_form(column)
    filtered = used if used and used.form == form else formed_column(column, form, ask)
    newest = _newest(filtered, ask, rows.dialect) if filter_.last_days is not None else None
    expression = condition(filter_, filtered, newest, rows.dialect)
    time = filtered.expression(rows.dialect) if is_time else None
    return Condition(position, str(filter_), expression, time)


def _on_units(
    rows: DatasetRows, columns: Mapping[str, SourceColumn], filter_: Filter, position: int
) -> Condition:
    alias = rows.product if filter_.of == "products" else rows.buyer
    groups = Groups(
        rows=rows.filtered([]).where(rows.ids_are_known()),
        unit=rows.columns[alias].expression(rows.dialect),
        revenue=_revenue(rows.dataset, columns, rows.dialect),
    )
    return Condition(position, str(filter_), aggregate_condition(filter_, groups))


def _revenue(
    dataset: DatasetDefinition, columns: Mapping[str, SourceColumn], dialect: Dialect
) -> Expr | None:
    if dataset.roles.revenue is None:
        return None
    with concerning("datasets", dataset.name, "roles", "revenue"):
        column = require_column(dataset, columns, dataset.roles.revenue, "The revenue")
        if column.kind not in {"integer", "float"} or column.history:
            raise InvalidInput(
                f"The revenue {quoted(column.alias)} holds {column.holds}; a revenue is a number.",
                hint="Name a column of numbers.",
            )
    return FormedColumn(column, "float").expression(dialect)


def formed_column(column: SourceColumn, form: Form, ask: Ask) -> FormedColumn:
    """Return a column in a form, after a look at its values where the form asks for one.

    Raises:
        InvalidInput: its values are no times, or no ids.
    """
    if form == "time":
        return FormedColumn(column, form, time_source(column, ask))
    if form in {"id", "ids"} and column.may_have_fractions:
        check_whole_ids(column, ask)
    return FormedColumn(column, form)


def _newest(column: FormedColumn, ask: Ask, dialect: Dialect) -> int | None:
    # The data to be asked is local whatever the dialect of the queries to come.
    del dialect
    (newest,) = ask(column.source, [exp.Max(this=column.expression("duckdb"))])
    return newest
