"""What `towerlab init` and `towerlab demo` do: a workspace with first definitions for data files.

Nothing that exists is changed: files that are there get new tables at their end, and a definition
whose name is taken is kept as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.definitions.misfits import DataMisfit
from engine.definitions.models import (
    BigQuerySource,
    DatasetDefinition,
    FeatureConfigDefinition,
)
from engine.errors import InvalidInput
from engine.query.databases import SEPARATOR
from engine.scaffold.drafts import Draft, draft
from engine.scaffold.files import WorkspaceFiles
from engine.scaffold.inspection import Inspection, SourceTable, slug
from engine.scaffold.roles import Choose, Role, Roles, find_roles
from engine.validation import check_data
from engine.workspace import Workspace

__all__ = ["Choose", "Role", "Roles", "Scaffold", "SourceTable", "scaffold"]


@dataclass(frozen=True)
class Scaffold:
    """What was found and made.

    Attributes:
        root: the workspace.
        tables: what the data files hold; the first is the table of interactions.
        roles: columns of that table.
        left_out: columns and tables that are not used, with the reason.
        created: files and definitions that were made.
        kept: those that were there before and were left alone.
        warnings: sentences worth telling before a run.
        refusal: why a run would be refused; empty when it wouldn't.
    """

    root: Path
    dataset: DatasetDefinition
    feature_configs: tuple[FeatureConfigDefinition, ...]
    model_configs: tuple[str, ...]
    tables: tuple[SourceTable, ...]
    roles: Roles
    left_out: dict[str, str]
    created: tuple[str, ...]
    kept: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def joins(self) -> dict[str, str]:
        """Joined table to the columns that join it."""
        return {
            join.table: ", ".join(
                left if left == right else f"{left} = {right}" for left, right in join.on.items()
            )
            for join in self.dataset.joins
        }


def _nobody(role: Role, table: SourceTable, candidates: list[str]) -> None:
    """Answer for somebody who can't be asked."""


def scaffold(
    paths: Sequence[Path],
    root: Path,
    *,
    given: dict[Role, str] | None = None,
    name: str = "",
    choose: Choose = _nobody,
    tell: Callable[[SourceTable], None] = lambda _: None,
    bigquery: BigQuerySource | None = None,
) -> Scaffold:
    """Write settings and definitions for data files.

    Args:
        paths: files, folders, globs, databases and, as `shop.db::orders`, tables of databases; at
            least one.
        root: folder of the workspace; made when missing.
        given: columns that play a role, by their names in the file.
        name: of the dataset; after the file or folder when empty.
        choose: asked for ids that can't be guessed.
        tell: gets each table as soon as it is inspected.
        bigquery: where the same tables are, under the names of their files.

    Raises:
        InvalidInput: a file, a column, or what is in the workspace already is wrong, or a column
            must be named.
    """
    files = WorkspaceFiles(root)
    with Inspection(Workspace(root.absolute()).tables) as inspection:
        tables = inspection.tables(paths if bigquery else inspection.as_one(paths), tell)
        primary, roles = find_roles(tables, given or {}, choose)
        dataset_name = name or _dataset_name(paths, tables, primary)
        sources = {table.name: _shown_source(table.source, root) for table in tables}
        drafted = draft(inspection, dataset_name, tables, primary, roles, sources)
        drafted, examined = _fitted(drafted, root, given or {})
        if examined.no_time and roles.timestamp:
            not_time, roles = roles.timestamp, replace(roles, timestamp=None)
            drafted = draft(inspection, dataset_name, tables, primary, roles, sources)
            drafted.left_out[not_time] = examined.no_time
            drafted, examined = _fitted(drafted, root, given or {})
    drafted = _renamed(drafted, files)
    if bigquery is not None:
        there = {t.name: stem for t in tables if (stem := Path(t.source).stem) != t.name}
        source = bigquery.model_copy(update={"tables": there}) if there else bigquery
        dataset = drafted.dataset.model_copy(update={"bigquery": source})
        drafted = replace(drafted, dataset=dataset)
    files.add_settings(drafted.dataset.name)
    files.add([drafted.dataset])
    files.add(drafted.feature_configs)
    files.add(drafted.model_configs)
    return Scaffold(
        root=root,
        dataset=drafted.dataset,
        feature_configs=drafted.feature_configs,
        model_configs=tuple(config.name for config in drafted.model_configs),
        tables=(primary, *(table for table in tables if table is not primary)),
        roles=roles,
        left_out=drafted.left_out,
        created=tuple(files.created),
        kept=tuple(files.kept),
        warnings=examined.warnings,
        refusal=examined.refusal,
    )


@dataclass(frozen=True)
class _Examined:
    """What the data says of a draft.

    Attributes:
        warnings: sentences worth telling before a run.
        refusal: why a run would be refused.
        no_time: why a guessed timestamp is none.
        empty: a feature's column that holds no value in the rows of the dataset.
    """

    warnings: tuple[str, ...] = ()
    refusal: str = ""
    no_time: str = ""
    empty: str = ""


def _fitted(drafted: Draft, root: Path, given: dict[Role, str]) -> tuple[Draft, _Examined]:
    """Leave out what a join finds no value of, which only the joined rows can show."""
    examined = _examine(drafted, root, given)
    while examined.empty:
        drafted = _without(drafted, examined.empty)
        examined = _examine(drafted, root, given)
    return drafted, examined


def _without(drafted: Draft, column: str) -> Draft:
    configs = tuple(
        config.model_copy(
            update={
                "buyer": tuple(f for f in config.buyer if f.column != column),
                "product": tuple(f for f in config.product if f.column != column),
            }
        )
        for config in drafted.feature_configs
    )
    left_out = {**drafted.left_out, column: "no row of the interactions has a value of it"}
    return replace(drafted, feature_configs=configs, left_out=left_out)


def _examine(drafted: Draft, root: Path, given: dict[Role, str]) -> _Examined:
    """Look at the data as a run would.

    Raises:
        InvalidInput: a column that somebody named as the timestamp holds no times.
    """
    try:
        facts = check_data(drafted.dataset, drafted.feature_configs[0], root=root)
    except DataMisfit as error:
        if (empty := _optional_feature(drafted, error)) is not None:
            return _Examined(empty=empty)
        if error.path[2:] != ("roles", "timestamp"):
            return _Examined(refusal=str(error))
        if "timestamp" in given:
            raise InvalidInput(error.message, hint=error.hint) from error
        return _Examined(no_time=error.message)
    return _Examined(warnings=(facts.left_out,) if facts.left_out else ())


def _optional_feature(drafted: Draft, error: DataMisfit) -> str | None:
    """Return the column that a misfit is about, where a model can do without it."""
    match error.path[2:]:
        case ("buyer" | "product" as side, int(index), "column"):
            features = drafted.feature_configs[0]
            feature = (features.buyer if side == "buyer" else features.product)[index]
            return None if feature.primary else feature.column
        case _:
            return None


def _dataset_name(
    paths: Sequence[Path], tables: tuple[SourceTable, ...], primary: SourceTable
) -> str:
    """Return the name of what holds all the tables, else that of the interactions."""
    if len(paths) > 1 or len(tables) == 1:
        return primary.name
    whole = paths[0].absolute()
    return slug(whole.name if whole.is_dir() else whole.stem)


def _shown_source(source: str, root: Path) -> str:
    """Return the path relative to the workspace where it lies inside, else absolute."""
    database, separator, table = source.rpartition(SEPARATOR)
    if separator:
        return _shown_source(database, root) + separator + table
    folder, file = Path(source).parent, Path(source).name
    if folder.resolve().is_relative_to(root.resolve()):
        return (folder.resolve().relative_to(root.resolve()) / file).as_posix()
    return (folder.resolve() / file).as_posix() if ".." in folder.parts else source


def _renamed(drafted: Draft, files: WorkspaceFiles) -> Draft:
    """Return the draft under names that don't belong to something else of the workspace."""
    name = files.free_dataset_name(drafted.dataset)
    configs = tuple(
        config.model_copy(
            update={"dataset": name, "name": files.free_feature_config_name(config.name, name)}
        )
        for config in drafted.feature_configs
    )
    dataset = drafted.dataset.model_copy(update={"name": name})
    return replace(drafted, dataset=dataset, feature_configs=configs)
