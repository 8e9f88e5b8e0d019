"""What a dataset holds, and its SQL, as the data is now."""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions import Definitions
from engine.definitions.misfits import placed

if TYPE_CHECKING:
    from engine.query.summary import DatasetSummary
    from engine.query.types import Dialect
    from engine.spec import Split, SplitName


def dataset_summary(name: str, definitions: Definitions, root: Path) -> "DatasetSummary":
    """Return what a dataset holds; see `Engine.dataset_summary`."""
    from engine.query.summary import summarize

    with placed(definitions):
        return summarize(definitions.dataset(name), root=root)


def dataset_sql(
    name: str,
    definitions: Definitions,
    root: Path,
    *,
    dialect: "Dialect",
    part: "SplitName | None",
    split: "Split",
) -> str:
    """Return the SQL of a dataset's rows; see `Engine.dataset_sql`."""
    from engine.parameters import check_split
    from engine.query import statement

    check_split(split)
    with placed(definitions):
        dataset = definitions.dataset(name)
        return statement.dataset_sql(dataset, root=root, dialect=dialect, part=part, split=split)
