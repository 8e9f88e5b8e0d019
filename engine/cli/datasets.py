"""Commands that read a dataset's data: `datasets summary|sql`."""

from typing import TYPE_CHECKING, Literal

import click

from engine.cli.group import Invocation, shared_options, split_options
from engine.errors import EngineError, InvalidInput

if TYPE_CHECKING:
    from engine.bigquery.facts import Reading
    from engine.query.summary import ColumnSummary, DatasetSummary
    from engine.query.types import Dialect
    from engine.spec import SplitName

_TOP_SHOWN = 3
_VALUE_LENGTH = 24


def add_data_commands(group: click.Group) -> None:
    """Add the commands to the group of the datasets."""

    @group.command("summary", help="Describe the rows of a dataset and each of its columns.")
    @click.argument("name")
    @shared_options
    @click.pass_obj
    def summary(invocation: Invocation, name: str) -> None:
        from engine.cli.output import print_json
        from engine.datasets import dataset_summary
        from engine.definitions.reading import read_definitions

        # The engine opens the database, whose libraries take a fifth of the time and aren't needed.
        workspace = invocation.workspace()
        workspace.prepare()
        definitions = read_definitions(workspace.definitions)
        found = dataset_summary(name, definitions, workspace.root)
        in_cloud = definitions.dataset(name).bigquery is not None
        reading, reason = _reading(invocation, name) if in_cloud else (None, "")
        if invocation.as_json:
            there = reading.model_dump(mode="json") if reading else None
            print_json({**found.model_dump(mode="json"), "bigquery": there})
        else:
            _print_summary(invocation, found)
            if reading is not None:
                _print_reading(invocation, reading)
        if reason:
            invocation.err.print(f"BigQuery: {reason}")

    @group.command("sql", help="Print the SQL that reads a dataset, or one part of its split.")
    @click.argument("name")
    @click.option(
        "--dialect",
        type=click.Choice(["duckdb", "bigquery"]),
        default="duckdb",
        show_default=True,
        help="Which engine the SQL is written for.",
    )
    @click.option(
        "--rows",
        "part",
        type=click.Choice(["train", "eval", "test"]),
        help="One part of the split, of all rows and seed 0  [default: all filtered rows]",
    )
    @split_options
    @shared_options
    @click.pass_obj
    def sql(
        invocation: Invocation,
        name: str,
        dialect: "Dialect",
        part: "SplitName | None",
        split: 'Literal["random", "time-holdout", "strict-time"]',
        **days: int | None,
    ) -> None:
        from engine.cli.output import print_json
        from engine.definitions.names import key_text
        from engine.spec import Split
        from engine.text import safe_block

        chosen = Split(kind=split, **days)
        if part is None and chosen != Split():
            raise InvalidInput(
                "All filtered rows are the same rows whatever the split.",
                hint="Add --rows train, --rows eval or --rows test.",
            )
        with invocation.engine() as engine:
            found = engine.dataset_sql(name, dialect=dialect, part=part, split=chosen)
            placeholders = (
                dialect == "bigquery" and engine.definitions().dataset(name).bigquery is None
            )
        if invocation.as_json:
            print_json(
                {
                    "name": name,
                    "dialect": dialect,
                    "rows": part,
                    "split": chosen.model_dump(mode="json", exclude_none=True),
                    "sql": found,
                }
            )
        else:
            click.echo(safe_block(found))
        if placeholders:
            invocation.err.print(
                "PROJECT and DATASET are placeholders: the dataset has no"
                f" [{key_text(('datasets', name, 'bigquery'))}]."
            )

    del summary, sql  # the group holds them


def _reading(invocation: Invocation, name: str) -> "tuple[Reading | None, str]":
    """Return what BigQuery says of a dataset, or why it doesn't."""
    try:
        with invocation.engine() as engine:
            return engine.dataset_reading(name), ""
    except EngineError as error:
        return None, str(error)


def _print_reading(invocation: Invocation, reading: "Reading") -> None:
    from engine.cli.output import clipped, table
    from engine.formats import clock, size

    invocation.out.print(f"\nBigQuery reads {size(reading.bytes)} for these rows, once.")
    made = table(("Table", "Rows", "Size", "Changed"), right=("Rows", "Size"), shrink=("Table",))
    for found in reading.tables:
        made.add_row(
            clipped(found.id),
            "–" if found.rows is None else f"{found.rows:,}",
            "–" if found.bytes is None else size(found.bytes),
            clock(found.modified_at),
        )
    invocation.out.print(made)


def _print_summary(invocation: Invocation, summary: "DatasetSummary") -> None:
    from engine.cli.output import clipped, fields, foreign, table

    pairs = [
        ("Rows", f"{summary.rows:,}"),
        ("Buyers", f"{summary.buyers:,}"),
        ("Products", f"{summary.products:,}"),
    ]
    if summary.rows_without_ids:
        pairs.insert(1, ("Left out", f"{summary.rows_without_ids:,} without buyer or product"))
    if summary.oldest and summary.newest:
        pairs.append(
            ("From", f"{summary.oldest:%Y-%m-%d %H:%M} to {summary.newest:%Y-%m-%d %H:%M}")
        )
    invocation.out.print(fields(pairs))
    for warning in summary.warnings:
        invocation.out.print(foreign(f"Warning: {warning}", "yellow", limit=1_000))
    invocation.out.print()
    made = table(
        ("Column", "Type", "Missing", "Distinct", "Values"),
        right=("Missing", "Distinct"),
        shrink=("Column", "Values"),
    )
    for column in summary.columns:
        made.add_row(
            clipped(column.name),
            foreign(_type(column)),
            _share(column.missing_share),
            f"{column.distinct:,}",
            clipped(_values(column)),
        )
    invocation.out.print(made)


def _type(column: "ColumnSummary") -> str:
    if isinstance(column.minimum, str):
        return "time"
    return column.type.lower() + ("[]" if column.repeated else "")


def _moment(written: float | str) -> str:
    """Return a time in ISO 8601, in UTC, as people read it."""
    return str(written).replace("T", " ").removesuffix("+00:00").removesuffix(" 00:00:00")


def _share(share: float) -> str:
    if share == 0:
        return "-"
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"


def _values(column: "ColumnSummary") -> str:
    if column.minimum is None or column.maximum is None:
        shown = (
            f"{top.value if len(top.value) <= _VALUE_LENGTH else top.value[:_VALUE_LENGTH] + '…'} "
            f"({top.rows:,})"
            for top in column.top[:_TOP_SHOWN]
        )
        return ", ".join(shown)
    if isinstance(column.minimum, str) or isinstance(column.maximum, str):
        return f"{_moment(column.minimum)} to {_moment(column.maximum)}"
    mean = "" if column.mean is None else f", mean {_number(column.mean, 4)}"
    return f"{_number(column.minimum, 6)} to {_number(column.maximum, 6)}{mean}"


def _number(value: float, digits: int) -> str:
    """Return a number to so many digits, but whole where those don't reach its unit."""
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:,.{digits}g}"
