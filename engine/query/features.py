"""Which columns a feature config needs of a dataset's rows, and how it resolves against them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.definitions.misfits import DataMisfit, EmptyTarget
from engine.definitions.models import DatasetDefinition, FeatureConfigDefinition
from engine.definitions.names import listed, quoted
from engine.definitions.resolving import resolve_features
from engine.errors import InvalidInput
from engine.query.columns import Form
from engine.query.measuring import DataFacts, Measurement, TargetRange
from engine.query.rows import DatasetRows
from engine.spec import DataType, FeatureConfig, SplitName, Target

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DATA_TYPES: dict[Form, DataType] = {
    "id": "text",
    "text": "text",
    "integer": "numeric",
    "float": "numeric",
    "time": "temporal",
    "ids": "history",
}


def check_primaries(dataset: DatasetDefinition, features: FeatureConfigDefinition) -> None:
    """Accept a feature config whose primary features are the dataset's buyer and product.

    Raises:
        InvalidInput: they are other columns.
    """
    roles = dataset.roles
    for tower, column, found in (
        ("buyer", roles.buyer, [f.column for f in features.buyer if f.primary]),
        ("product", roles.product, [f.column for f in features.product if f.primary]),
    ):
        if found != [column]:
            other = InvalidInput(
                f"Feature config {quoted(features.name)}: the primary feature of the {tower} tower "
                f"must be {quoted(column)}, the {tower} of dataset {quoted(dataset.name)}."
            )
            raise DataMisfit(other, ("features", features.name, tower))


def needed_columns(rows: DatasetRows, features: FeatureConfigDefinition) -> tuple[str, ...]:
    """Return the columns of the examples: roles, features, target."""
    wanted = [rows.buyer, rows.product, rows.timestamp]
    wanted += [f.column for f in (*features.buyer, *features.product)]
    wanted.append(features.target_column)
    return tuple(dict.fromkeys(alias for alias in wanted if alias is not None))


def measure_features(
    connection: "DuckDBPyConnection", rows: DatasetRows, features: FeatureConfigDefinition
) -> tuple[Measurement, FeatureConfig]:
    """Measure the filtered rows and resolve a feature config with what was found.

    Raises:
        InvalidInput: no row is left, a column is empty, or a transform doesn't fit a column.
    """
    data_types: dict[str, DataType] = {
        alias: _DATA_TYPES[column.form] for alias, column in rows.columns.items()
    }
    resolve_features(features, data_types, {})  # a misfit is told before the data is read
    named = list(dict.fromkeys(f.column for f in (*features.buyer, *features.product)))
    target = features.target_column
    if target is not None and target not in named:
        named.append(target)
    measurement = Measurement(connection, rows, named, target=target)
    _check_values(rows, features, measurement.facts)
    if isinstance(features.target, Target) and features.target.log1p:
        check_logarithms(
            features, features.target, measurement.target_range(features.target.column)
        )
    return measurement, resolve_features(features, data_types, measurement.facts.distinct)


def check_labels(features: FeatureConfigDefinition, target: TargetRange) -> None:
    """Accept a target that binary crossentropy can learn.

    Args:
        features: whose target it is.
        target: from `Measurement.target_range`.

    Raises:
        InvalidInput: it holds numbers below 0 or above 1, or is transformed before it is learnt.
    """
    if isinstance(features.target, Target) and features.target.transforms:
        transformed = InvalidInput(
            f"Binary crossentropy learns labels as they are, but {quoted(features.target.column)} "
            f"is transformed: {', '.join(features.target.transforms)}.",
            hint="Leave clip, log1p and normalize out, or choose the loss mse or huber.",
        )
        raise DataMisfit(transformed, ("features", features.name, "target"))
    if told := target.misfit_as_labels(features.target_column or ""):
        hint = "Choose the loss mse or huber, or a target of 0 and 1."
        raise DataMisfit(InvalidInput(told, hint=hint), ("features", features.name, "target"))


def check_targets(features: FeatureConfigDefinition, rows: Mapping[SplitName, int]) -> None:
    """Accept splits in each of which something can be learnt of the target, or measured.

    Args:
        features: whose target it is.
        rows: with a target, by split.

    Raises:
        InvalidInput: a split has none.
    """
    empty = [name for name, count in rows.items() if count == 0]
    if empty:
        told = InvalidInput(
            f"No row of the {listed(empty)} split has a number in the target "
            f"{quoted(features.target_column or '')}.",
            hint="Choose another split, a larger sample, wider filters or another target.",
        )
        raise DataMisfit(told, ("features", features.name, "target"))


def check_logarithms(features: FeatureConfigDefinition, target: Target, found: TargetRange) -> None:
    """Accept a target whose logarithms exist; a clip may make them, which train decides.

    Args:
        features: whose target it is.
        target: takes the logarithm.
        found: from `Measurement.target_range`.

    Raises:
        InvalidInput: it holds numbers of -1 or less.
    """
    if target.clip is None and found.least is not None and found.least <= -1:
        told = InvalidInput(
            f"The target {quoted(target.column)} has values down to {found.least:g}; log1p needs "
            "values above -1.",
            hint="Take log1p out of the target, or clip it.",
        )
        raise DataMisfit(told, ("features", features.name, "target", "log1p"))


def _check_values(rows: DatasetRows, features: FeatureConfigDefinition, facts: DataFacts) -> None:
    def empty(column: str, hint: str) -> InvalidInput:
        return InvalidInput(
            f"Column {quoted(column)} of dataset {quoted(rows.dataset.name)} holds no value in "
            f"any of the {facts.rows:,} rows.",
            hint=hint,
        )

    for path, feature in features.by_path():
        if facts.values[feature.column] == 0:
            told = empty(feature.column, "Take it out of the feature config.")
            raise DataMisfit(told, (*path, "column"))
    target = features.target_column
    if target is not None and facts.values[target] == 0:
        told = empty(target, "Name another target, or take it out.")
        raise EmptyTarget(told, ("features", features.name, "target"))
