"""Whether definitions fit their data: what `run` would refuse, told without running."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions.misfits import DataMisfit, concerning
from engine.definitions.names import key_text, quoted
from engine.definitions.snapshot import Definitions, Kind, Problem

if TYPE_CHECKING:
    from engine.definitions.models import DatasetDefinition, FeatureConfigDefinition
    from engine.query.measuring import DataFacts


@dataclass(frozen=True)
class DataCheck:
    """What definitions ask of the data.

    Attributes:
        problems: the first thing that each definition asks in vain.
        warnings: sentences about what works and may not be meant.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def check_against_data(
    kind: Kind, names: Iterable[str], definitions: Definitions, *, root: Path
) -> DataCheck:
    """Read the data and say what definitions ask of it in vain.

    Args:
        kind: of the definitions; model configs ask nothing of the data.
        names: definitions that can be read.
        definitions: the workspace's.
        root: where relative paths of data files start.
    """
    if kind == "models":
        return DataCheck()
    checks = [_checked(kind, name, definitions, root) for name in names]
    problems = {str(problem): problem for check in checks for problem in check.problems}
    warnings = dict.fromkeys(warning for check in checks for warning in check.warnings)
    return DataCheck(tuple(problems.values()), tuple(warnings))


def _checked(kind: Kind, name: str, definitions: Definitions, root: Path) -> DataCheck:
    try:
        with concerning(kind, name):
            if kind == "datasets":
                return DataCheck(warnings=_repeating(definitions.dataset(name), root))
            features = definitions.feature_config(name)
            check_data(definitions.dataset(features.dataset), features, root=root)
    except DataMisfit as error:
        reason = str(error)
        found = error.as_problem(definitions)
        return DataCheck(
            (found or Problem(file="", line=1, key=key_text(error.path), reason=reason),)
        )
    return DataCheck()


def _repeating(dataset: "DatasetDefinition", root: Path) -> tuple[str, ...]:
    """Check a dataset as `check_data` does, and return its joins that make more rows."""
    from engine.query.connection import open_duckdb
    from engine.query.measuring import repeating_joins
    from engine.query.preparation import prepare_rows

    check_data(dataset, None, root=root)
    with open_duckdb() as connection:
        rows = prepare_rows(connection, dataset, None, root).rows
        of = quoted(dataset.name)
        return tuple(f"Dataset {of}: {growth}" for growth in repeating_joins(connection, rows))


def check_data(
    dataset: "DatasetDefinition", features: "FeatureConfigDefinition | None", *, root: Path
) -> "DataFacts":
    """Measure the data of definitions that fit it.

    Raises:
        InvalidInput: a file, a column or a value is missing or of the wrong type, or no row is
            left; a `DataMisfit` where a key is to blame.
    """
    from engine.parameters import check_enough
    from engine.query.connection import open_duckdb
    from engine.query.features import check_primaries, measure_features
    from engine.query.measuring import Measurement
    from engine.query.preparation import prepare_rows

    with open_duckdb() as connection:
        rows = prepare_rows(connection, dataset, features, root).rows
        if features is None:
            measurement = Measurement(connection, rows, [])
        else:
            check_primaries(dataset, features)
            measurement, _ = measure_features(connection, rows, features)
    with concerning("datasets", dataset.name):
        check_enough(dataset.name, measurement.facts)
    return measurement.facts
