"""From a dataset and what a feature config wants of its columns to `DatasetRows`, with every check.

The order matters: which columns of a CSV file are read as text must be known before the data is
asked what its times are, and times before filters can be written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.misfits import DataMisfit, EmptyTarget, concerning
from engine.definitions.models import DatasetDefinition, FeatureConfigDefinition
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.columns import Form, FormedColumn, SourceColumn, default_form
from engine.query.conditions import conditions_of, formed_column
from engine.query.connection import fetch_values
from engine.query.lookup import find_columns, require_column
from engine.query.rows import DatasetRows, join_keys
from engine.query.source import inspect_source
from engine.query.tables import SourceTable, aliased
from engine.query.types import Dialect
from engine.spec import DataType, SourceFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AskTable = Callable[[Expr, list[Expr]], tuple[Any, ...]]
"""Answers aggregates over what stands in FROM; raises `InvalidInput` where it cannot be read."""

_FORM_OF_TYPE: dict[DataType, Form] = {
    "text": "text",
    "numeric": "float",
    "temporal": "time",
    "history": "ids",
}


@dataclass(frozen=True)
class PreparedRows:
    """The rows of a dataset, the files that they come from, and the hash of those."""

    rows: DatasetRows
    fingerprint: str
    files: tuple[SourceFile, ...]


def prepare_rows(
    connection: "DuckDBPyConnection",
    dataset: DatasetDefinition,
    features: FeatureConfigDefinition | None,
    root: Path,
) -> PreparedRows:
    """Check a dataset against its data and give every column that is used its form.

    Args:
        connection: from `open_duckdb`.
        dataset: whose tables are local files.
        features: what the columns are used for; every column of the dataset when None.
        root: where relative paths start.

    Raises:
        InvalidInput: a file, a column or a value is missing or of the wrong type.
    """
    source = inspect_source(connection, dataset, root)
    rows = form_rows(dataset, features, source.tables, partial(fetch_values, connection))
    return PreparedRows(rows, source.fingerprint, source.files)


def form_rows(
    dataset: DatasetDefinition,
    features: FeatureConfigDefinition | None,
    tables: Mapping[str, SourceTable],
    ask_table: AskTable,
    dialect: Dialect = "duckdb",
) -> DatasetRows:
    """Do what `prepare_rows` does, over tables whose schema is known.

    Args:
        dataset: whose tables these are.
        features: as in `prepare_rows`.
        tables: by name, those that the dataset uses.
        ask_table: answers aggregates over one table.
        dialect: of the queries to come.

    Raises:
        InvalidInput: a column or a value is missing or of the wrong type.
    """
    columns = find_columns(dataset, tables)
    if features is not None:
        _check_target_is_set(dataset, features, columns, tables, ask_table)
    forms = _wanted_forms(dataset, features, columns)
    tables = _read_ids_as_text(tables, forms, columns)
    tables = _read_joins_as_text(dataset, tables)

    def ask(column: SourceColumn, values: list[Expr]) -> tuple[Any, ...]:
        return ask_table(aliased(tables[column.table].relation, column.table), values)

    columns = {
        alias: replace(column, as_text=column.name in tables[column.table].text_columns)
        for alias, column in columns.items()
    }
    formed: dict[str, FormedColumn] = {}
    for alias, form in forms.items():
        with concerning(*_path_of_use(dataset, features, alias)):
            formed[alias] = formed_column(columns[alias], form, ask)
    rows = DatasetRows(
        dialect=dialect,
        dataset=dataset,
        tables=tables,
        columns=formed,
        buyer=dataset.roles.buyer,
        product=dataset.roles.product,
        timestamp=dataset.roles.timestamp,
        row_key=row_key_of(dataset),
    )
    _check_row_key(rows)
    return replace(rows, conditions=conditions_of(rows, columns, ask))


def row_key_of(dataset: DatasetDefinition) -> tuple[str, ...]:
    """Return the columns of the row key: those given, else buyer, product and timestamp."""
    roles = dataset.roles
    default = (roles.buyer, roles.product, roles.timestamp)
    return roles.row_key or tuple(alias for alias in default if alias is not None)


def _path_of_use(
    dataset: DatasetDefinition, features: FeatureConfigDefinition | None, alias: str
) -> tuple[str | int, ...]:
    """Return the key by which a column is used: a role, else a feature, else the dataset's own."""
    for role in ("buyer", "product", "timestamp"):
        if getattr(dataset.roles, role) == alias:
            return ("datasets", dataset.name, "roles", role)
    for path, feature in features.by_path() if features else ():
        if feature.column == alias:
            return (*path, "column")
    return ("datasets", dataset.name, "columns", alias)


def _wanted_forms(
    dataset: DatasetDefinition,
    features: FeatureConfigDefinition | None,
    columns: Mapping[str, SourceColumn],
) -> dict[str, Form]:
    roles = dataset.roles
    forms: dict[str, Form] = {}
    for what, alias in (("The buyer", roles.buyer), ("The product", roles.product)):
        with concerning("datasets", dataset.name, "roles", what.removeprefix("The ")):
            column = require_column(dataset, columns, alias, what)
            if column.kind in {"time", "boolean"} or default_form(column) == "ids":
                raise InvalidInput(
                    f"{what} {quoted(alias)} holds {column.holds}: no ids.",
                    hint="Ids are text or whole numbers.",
                )
        forms[alias] = "id"
    if roles.timestamp is not None:
        with concerning("datasets", dataset.name, "roles", "timestamp"):
            require_column(dataset, columns, roles.timestamp, "The timestamp")
        forms[roles.timestamp] = "time"
    if features is not None:
        forms |= _feature_forms(dataset, features, columns, forms)
    for alias in roles.row_key:
        with concerning("datasets", dataset.name, "roles", "row_key"):
            column = require_column(dataset, columns, alias, "The row key")
            if default_form(column) == "ids":
                raise InvalidInput(
                    f"Column {quoted(alias)} of the row key holds lists.",
                    hint="Use ids, whole numbers or times.",
                )
        forms.setdefault(alias, default_form(column))
    if features is None:
        for alias, column in columns.items():
            if column.kind != "other":
                forms.setdefault(alias, default_form(column))
    return {alias: forms[alias] for alias in columns if alias in forms}


def _feature_forms(
    dataset: DatasetDefinition,
    features: FeatureConfigDefinition,
    columns: Mapping[str, SourceColumn],
    fixed: Mapping[str, Form],
) -> dict[str, Form]:
    forms: dict[str, Form] = {}
    what = f"Feature config {quoted(features.name)}"
    for path, feature in features.by_path():
        alias, data_type = feature.column, feature.data_type
        with concerning(*path, "column"):
            column = require_column(dataset, columns, alias, what)
        with concerning(*path, "data_type"):
            form = forms.get(alias) if data_type is None else _form_for(column, data_type)
        form = form or fixed.get(alias) or default_form(column)
        agreed = fixed.get(alias, forms.get(alias, form))
        if {agreed, form} in ({"id", "text"}, {"id"}):
            form = "id"
        elif agreed != form:
            twice = InvalidInput(
                f"{what} uses column {quoted(alias)} in two ways.",
                hint="Give the column a second alias in the dataset.",
            )
            raise DataMisfit(twice, (*path, "column"))
        forms[alias] = form
    target = features.target_column
    if target is not None:
        with concerning("features", features.name, "target"):
            forms[target] = _target_form(
                require_column(dataset, columns, target, "The target"),
                {**fixed, **forms},
            )
    return forms


def _target_form(column: SourceColumn, forms: Mapping[str, Form]) -> Form:
    form = forms.get(column.alias, default_form(column))
    if form not in {"integer", "float"}:
        raise InvalidInput(
            f"The target {quoted(column.alias)} holds {column.holds}; a target is a number.",
            hint="Name a column of numbers, or take the target out.",
        )
    return form


def _check_target_is_set(
    dataset: DatasetDefinition,
    features: FeatureConfigDefinition,
    columns: Mapping[str, SourceColumn],
    tables: Mapping[str, SourceTable],
    ask_table: AskTable,
) -> None:
    """Tell a target without values from one of text: a CSV file's empty column is text, too."""
    target = columns.get(features.target_column or "")
    if target is None or target.kind != "text":
        return
    relation = aliased(tables[target.table].relation, target.table)
    (values,) = ask_table(relation, [exp.Count(this=target.expression())])
    if values == 0:
        empty = InvalidInput(
            f"The target {quoted(target.alias)} of dataset {quoted(dataset.name)} holds no values.",
            hint="Name a column of numbers, or take the target out.",
        )
        raise EmptyTarget(empty, ("features", features.name, "target"))


def _form_for(column: SourceColumn, data_type: DataType) -> Form:
    if data_type == "numeric" and column.kind in {"integer", "boolean"} and not column.history:
        return "integer"
    is_list = default_form(column) == "ids"
    fits = {
        "text": column.kind != "time" and not is_list,
        "numeric": column.kind == "float" and not is_list,
        "temporal": column.kind != "boolean" and not is_list,
        "history": is_list,
    }
    if not fits[data_type]:
        raise InvalidInput(
            f"Column {quoted(column.alias)} holds {column.holds} and cannot be read as "
            f"{data_type}.",
            hint="Leave data_type out: the column decides.",
        )
    return _FORM_OF_TYPE[data_type]


def _read_ids_as_text(
    tables: Mapping[str, SourceTable],
    forms: Mapping[str, Form],
    columns: Mapping[str, SourceColumn],
) -> dict[str, SourceTable]:
    tables = dict(tables)
    for alias, form in forms.items():
        if form in {"id", "text", "ids"}:
            column = columns[alias]
            tables[column.table] = tables[column.table].with_text({column.name})
    return tables


def _read_joins_as_text(
    dataset: DatasetDefinition, tables: dict[str, SourceTable]
) -> dict[str, SourceTable]:
    """Where one side of a join is text, the other is read as text too, until nothing changes."""
    tables = dict(tables)
    pairs = [pair for join in dataset.joins for pair in join_keys(dataset, tables, join)]
    for _ in pairs:
        for pair in pairs:
            if "text" in {tables[c.table].read_kind(c.name) for c in pair}:
                for column in pair:
                    tables[column.table] = tables[column.table].with_text({column.name})
    return tables


def _check_row_key(rows: DatasetRows) -> None:
    for alias in rows.row_key:
        if rows.columns[alias].form == "float":
            fractions = InvalidInput(
                f"Column {quoted(alias)} of the row key holds fractions, which have no exact text.",
                hint="Use ids, whole numbers or times.",
            )
            raise DataMisfit(fractions, ("datasets", rows.dataset.name, "roles", "row_key"))
