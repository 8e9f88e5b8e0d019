"""Find the columns that a dataset names in its source's schema: the allow-list of every query."""

from collections.abc import Mapping
from dataclasses import replace

from engine.definitions.checks import alias_problems, table_of
from engine.definitions.misfits import concerning
from engine.definitions.models import DatasetDefinition
from engine.definitions.names import listed, quoted, suggestion
from engine.errors import InvalidInput
from engine.query.columns import SourceColumn
from engine.query.tables import SourceTable


def find_columns(
    dataset: DatasetDefinition, tables: Mapping[str, SourceTable]
) -> dict[str, SourceColumn]:
    """Return every column of a dataset by its alias.

    Raises:
        InvalidInput: a table has no such column, or several tables have one.
    """
    written = dataset.columns or {
        name: f"{dataset.primary}.{name}" for name in tables[dataset.primary].types
    }
    columns: dict[str, SourceColumn] = {}
    for alias, reference in written.items():
        at = ("columns", alias) if dataset.columns else ("primary",)
        with concerning("datasets", dataset.name, *at):
            table, name = find_column(dataset, tables, reference, f"Column {quoted(alias)}")
        columns[alias] = SourceColumn(
            alias, table, name, tables[table].types[name], tables[table].kind(name)
        )
    for alias, history in dataset.histories.items():
        with concerning("datasets", dataset.name, "histories", alias, "column"):
            base = require_column(dataset, columns, history.column, f"History {quoted(alias)}")
            if base.kind not in {"integer", "float", "text"}:
                raise InvalidInput(
                    f"History {quoted(alias)}: column {quoted(base.alias)} holds {base.holds}.",
                    hint="A history lists ids: text or whole numbers.",
                )
        columns[alias] = replace(base, alias=alias, history=history)
    return columns


def find_column(
    dataset: DatasetDefinition, tables: Mapping[str, SourceTable], reference: str, what: str
) -> tuple[str, str]:
    """Return table and column that "table.column" or "column" names.

    Args:
        dataset: whose primary table wins where several have the column.
        tables: the tables to look in.
        reference: as written in the definition.
        what: what the reference is for, to begin an error with.

    Raises:
        InvalidInput: there is no such column, or several.
    """
    table = table_of(reference, tables)
    if table is not None:
        name = reference.partition(".")[2]
        if name in tables[table].types:
            return table, name
        raise _unknown(
            dataset,
            f"{what}: table {quoted(table)} has no column {quoted(name)}.",
            name,
            list(tables[table].types),
        )
    if reference in tables[dataset.primary].types:
        return dataset.primary, reference
    having = [name for name, found in tables.items() if reference in found.types]
    if len(having) == 1:
        return having[0], reference
    if having:
        raise InvalidInput(
            f"{what} of dataset {quoted(dataset.name)}: the tables {listed(having)} all have a "
            f"column {quoted(reference)}.",
            hint=f"Write {quoted(f'{having[0]}.{reference}')}.",
        )
    known = [name for found in tables.values() for name in found.types]
    raise _unknown(dataset, f"{what}: no table has a column {quoted(reference)}.", reference, known)


def require_column(
    dataset: DatasetDefinition, columns: Mapping[str, SourceColumn], alias: str, what: str
) -> SourceColumn:
    """Return a column by its alias.

    Raises:
        InvalidInput: the dataset has no such column, or the examples cannot hold it.
    """
    if alias not in columns:
        message = f"{what}: the dataset {quoted(dataset.name)} has no column {quoted(alias)}."
        raise InvalidInput(message, hint=suggestion(alias, columns))
    column = columns[alias]
    for problem in alias_problems(alias):
        raise InvalidInput(
            f"{what}: {quoted(alias)}: {problem}.",
            hint="Give it an alias under [datasets.NAME.columns].",
        )
    if column.kind == "other":
        raise InvalidInput(
            f"{what}: column {quoted(alias)} holds {column.holds}, which cannot be used.",
            hint="Numbers, text, booleans, dates and timestamps can, and lists of text or "
            "whole numbers.",
        )
    return column


def _unknown(dataset: DatasetDefinition, message: str, name: str, known: list[str]) -> InvalidInput:
    return InvalidInput(
        f"Dataset {quoted(dataset.name)}: {message[:1].lower()}{message[1:]}",
        hint=suggestion(name, known),
    )
