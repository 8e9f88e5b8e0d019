"""Whether definitions fit their data: what `run` would refuse, told without running."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions.misfits import DataMisfit, concerning
from engine.definitions.names import key_text
from engine.definitions.snapshot import Definitions, Kind, Problem

if TYPE_CHECKING:
    from engine.definitions.models import DatasetDefinition, FeatureConfigDefinition
    from engine.query.measuring import DataFacts


def data_problems(
    kind: Kind, names: Iterable[str], definitions: Definitions, *, root: Path
) -> Iterator[Problem]:
    """Yield the first thing that each definition asks of the data in vain; reads the data.

    Args:
        kind: of the definitions; model configs ask nothing of the data.
        names: definitions that can be read.
        definitions: the workspace's.
        root: where relative paths of data files start.
    """
    if kind == "models":
        return
    told: set[str] = set()
    for name in names:
        problem = _problem(kind, name, definitions, root)
        if problem is not None and str(problem) not in told:
            told.add(str(problem))
            yield problem


def _problem(kind: Kind, name: str, definitions: Definitions, root: Path) -> Problem | None:
    try:
        with concerning(kind, name):
            if kind == "datasets":
                check_data(definitions.dataset(name), None, root=root)
            else:
                features = definitions.feature_config(name)
                check_data(definitions.dataset(features.dataset), features, root=root)
    except DataMisfit as error:
        reason = str(error)
        return error.as_problem(definitions) or Problem(
            file="", line=1, key=key_text(error.path), reason=reason
        )
    return None


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
