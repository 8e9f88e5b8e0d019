"""Commands that set up a workspace: init, demo."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.group import Invocation, command, shared_options
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.bigquery.facts import Table
    from engine.definitions.models import BigQuerySource
    from engine.scaffold import Choose, Role, Scaffold, SourceTable


@click.command("init")
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--bigquery",
    "source",
    metavar="PROJECT.DATASET[.TABLE]",
    help="Copy these tables to data/ here, in place of PATH; runs on Google Cloud read them there.",
)
@click.option("--buyer", metavar="C", help="Column of the buyer id.")
@click.option("--product", metavar="C", help="Column of the product id.")
@click.option("--timestamp", metavar="C", help="Column of the time of each row.")
@click.option("--revenue", metavar="C", help="Column of the money of each row.")
@click.option("--target", metavar="C", help="Column to predict, as a rating.")
@click.option("--name", metavar="N", default="", help="Name of the dataset  [default: the file's]")
@shared_options
@click.pass_obj
def init(
    invocation: Invocation,
    paths: tuple[Path, ...],
    source: str | None,
    name: str,
    **columns: str | None,
) -> None:
    """Set up a workspace for data files.

    PATH is a Parquet or CSV file, a folder or a glob of them, a SQLite or DuckDB database, or one
    of its tables as shop.db::orders. Guesses which columns are the buyer, the product, the time and
    the revenue, and asks only for what it can't guess. Nothing that exists is overwritten.
    """
    from engine.cli.output import print_json
    from engine.scaffold import scaffold

    root = invocation.folder or Path.cwd()
    if bool(paths) == bool(source):
        raise InvalidInput(
            "Say which data: one or more PATHs, or --bigquery PROJECT.DATASET.TABLE.",
            hint="`towerlab init --help` says more.",
        )
    bigquery = None
    if source:
        paths, bigquery = _brought(invocation, source, root)
    given: dict[Role, str] = {role: c for role, c in columns.items() if c is not None}  # pyright: ignore[reportAssignmentType] - click's options are the roles
    made = scaffold(
        paths,
        root,
        given=given,
        name=name,
        choose=_asking(invocation),
        tell=_telling(invocation),
        bigquery=bigquery,
    )
    if invocation.as_json:
        print_json(_as_json(made))
        return
    _print_scaffold(invocation, made)


def _brought(
    invocation: Invocation, source: str, root: Path
) -> "tuple[tuple[Path, ...], BigQuerySource]":
    """Copy tables of BigQuery into the workspace."""
    from engine.bigquery.bringing import bring_tables
    from engine.cli.output import foreign
    from engine.config import CloudSettings
    from engine.formats import size
    from engine.workspace import CONFIG, Workspace

    def tell(table: "Table", kept: bool) -> None:
        what = "Kept the copy of" if kept else f"Copying {size(table.bytes or 0)} of"
        invocation.err.print(foreign(f"{what} {table.id}", "dim"))

    settings = CloudSettings()
    if (root / CONFIG).is_file():
        settings = Workspace(root).settings.cloud
    files, found = bring_tables(source, root / "data", settings, tell)
    return tuple(files), found


@click.command("demo")
@click.option("--plain", is_flag=True, help="Print the progress instead of opening the app.")
@shared_options
@click.pass_obj
def demo(invocation: Invocation, plain: bool) -> int:
    """Train a first model on real grocery data.

    Makes a workspace, trains on a tenth of the households and shows the run: in the app on a
    terminal, else as lines. The workspace is ./towerlab-demo unless --workspace says otherwise. Run
    again, it shows what is there.
    """
    from engine import demo as demonstration
    from engine.api import Engine
    from engine.cli.watching import exit_code, print_outcome, warn, watch
    from engine.workspace import Workspace

    root = (invocation.folder or Path.cwd() / demonstration.DEFAULT_FOLDER).absolute()
    made = demonstration.prepare_workspace(root, _telling(invocation))
    remarks = invocation.err if invocation.as_json else invocation.out
    if made.created:
        remarks.print(f"Made the workspace {root}.")
    request = demonstration.request(made.feature_configs[0].name, made.model_configs[0])
    with Engine(Workspace(root)) as engine:
        seen = demonstration.earlier_experiment(engine, request)
        if seen is None:
            seen = engine.create(request)
            warn(invocation, seen)
        if not plain and _opened(invocation, root, seen.number):
            seen = engine.get(seen.number)
        elif seen.ended:
            remarks.print(f"{root} has run the demo already, as #{seen.number}.", soft_wrap=True)
        else:
            seen = watch(invocation, engine, seen.number)
        if seen.ended:
            print_outcome(invocation, seen)
        else:
            remarks.print(f"Experiment #{seen.number} goes on.")
    if not invocation.as_json:
        _print_what_next(invocation, seen.number, root)
    return exit_code(seen) if seen.ended else 0


def _opened(invocation: Invocation, root: Path, number: int) -> bool:
    """Show an experiment in the app until the person leaves; False where that can't be."""
    if invocation.open_app is None or invocation.as_json:
        return False
    return invocation.open_app(root, number=number) is not None


def _print_what_next(invocation: Invocation, number: int, root: Path) -> None:
    invocation.out.print("\nNext:")
    for arguments, effect in (
        ("", "the app"),
        (f"show {number}", "all about this one"),
        (f"rerun {number} --set learning_rate=0.005 --wait", "a variation"),
        ("list", "all of them"),
    ):
        invocation.out.print(f"  {effect}:\n    {command(arguments, root)}", soft_wrap=True)


def _telling(invocation: Invocation) -> "Callable[[SourceTable], None]":
    """Return what says which table was read."""

    def tell(table: "SourceTable") -> None:
        from engine.cli.output import foreign

        if not invocation.as_json:
            counts = f"{table.rows:,} rows, {len(table.columns)} columns"
            invocation.out.print(foreign(f"Read {table.name}: {counts}", "dim"))

    return tell


def _asking(invocation: Invocation) -> "Choose":
    """Return what asks a person, if there is one, for the column of a role."""

    def choose(role: "Role", table: "SourceTable", candidates: list[str]) -> str | None:
        if not invocation.may_ask:
            return None
        from engine.cli.output import foreign

        invocation.err.print(foreign(f"Which column of {table.name} is the {role} id?"))
        for number, name in enumerate(candidates, 1):
            column = table.column(name)
            values = f"{column.distinct:,} values" if column else ""
            invocation.err.print(foreign(f"  {number}  {name}   {values}"))
        answer = click.prompt("Number", type=click.IntRange(1, len(candidates)), err=True)
        return candidates[int(answer) - 1]

    return choose


def _print_scaffold(invocation: Invocation, made: "Scaffold") -> None:
    from rich.text import Text

    from engine.cli.output import fields, foreign, indented

    out = invocation.out
    roles = {role: column for role, column in vars(made.roles).items() if column}
    interactions = made.tables[0]
    distinct = {
        role: f"{column} ({found.distinct:,} values)"
        for role, column in roles.items()
        if (found := interactions.column(column)) and role in ("buyer", "product")
    }
    basic = made.feature_configs[0]
    sections = [
        (f"Dataset {made.dataset.name}", {**roles, **distinct}),
        (
            f"Feature config {basic.name}",
            {
                "buyer": ", ".join(f.column for f in basic.buyer),
                "product": ", ".join(f.column for f in basic.product),
            },
        ),
        ("Joined tables, by", made.joins),
        ("Not used as features", made.left_out),
        ("Made", _by_file(made.created)),
        ("Kept as it was", _by_file(made.kept)),
    ]
    for title, pairs in sections:
        if pairs:
            out.print(Text(f"\n{title}", style="bold"))
            out.print(indented(fields(pairs.items())))
    if "timestamp" not in roles:
        out.print("\nNo column holds a time, so only the random split is possible.")
    for warning in made.warnings:
        out.print()
        out.print(foreign(warning, limit=1_000))
    if made.refusal:
        out.print()
        out.print(foreign(f"This can't be trained on yet: {made.refusal}", limit=1_000))
        return
    out.print(f"\nNext: {_next_command(made)}", soft_wrap=True)


def _by_file(labels: Iterable[str]) -> dict[str, str]:
    """Return file to the names of its definitions, from labels such as "models.toml: deep"."""
    names: dict[str, list[str]] = {}
    for label in labels:
        file, _, name = label.partition(": ")
        names.setdefault(file, []).extend([name] if name else [])
    return {file: ", ".join(found) for file, found in names.items()}


def _as_json(made: "Scaffold") -> dict[str, object]:
    return {
        "workspace": str(made.root.absolute()),
        "dataset": made.dataset.name,
        "roles": vars(made.roles),
        "tables": [
            {
                "name": table.name,
                "source": table.source,
                "rows": table.rows,
                "columns": [vars(column) for column in table.columns],
            }
            for table in made.tables
        ],
        "feature_configs": [config.name for config in made.feature_configs],
        "model_configs": list(made.model_configs),
        "left_out": made.left_out,
        "created": list(made.created),
        "kept": list(made.kept),
        "warnings": list(made.warnings),
        "refusal": made.refusal,
        "next": "" if made.refusal else _next_command(made),
    }


def _next_command(made: "Scaffold") -> str:
    config, model = made.feature_configs[0].name, made.model_configs[0]
    return command(f"run --feature-config {config} --model-config {model} --wait", made.root)
