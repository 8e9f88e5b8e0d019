"""`towerlab compare`: experiments side by side, and whether the difference means anything."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from engine.cli.group import Invocation, shared_options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from engine.analysis.comparison import Comparison
    from engine.analysis.table import Cell


@click.command("compare")
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True, metavar="N M…")
@click.option("--differences", is_flag=True, help="Show only what is not the same in all.")
@click.option(
    "--baseline",
    type=click.IntRange(min=1),
    metavar="N",
    help="Compare the others with this one  [default: the first]",
)
@shared_options
@click.pass_obj
def compare(
    invocation: Invocation, numbers: tuple[int, ...], differences: bool, baseline: int | None
) -> None:
    """Compare 2 to 4 completed experiments.

    Below the table stands for each pair whether the difference is larger than its uncertainty: it
    is measured on the same test rows, with buyers resampled. * marks the best of a row.
    """
    with invocation.engine() as engine:
        found = engine.compare(numbers, baseline=baseline)
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json(found.model_dump(mode="json"))
        return
    from rich.console import Group

    invocation.out.print(Group(*_parts(found, only_differences=differences)))


def _parts(found: "Comparison", *, only_differences: bool) -> "Iterator[RenderableType]":
    from rich.text import Text

    from engine.cli.output import foreign

    yield _table(found, only_differences=only_differences)
    yield Text()
    for pair in found.pairs:
        yield foreign(pair.verdict, limit=1_000)


def _table(found: "Comparison", *, only_differences: bool) -> "Table":
    from rich.text import Text

    from engine.cli.output import foreign, table

    headings = [f"#{n}{' (baseline)' if n == found.baseline else ''}" for n in found.numbers]
    made = table(("", *headings), shrink=headings)
    for section in found.sections:
        rows = [row for row in section.rows if row.differs or not only_differences]
        if rows:
            made.add_row(Text(section.title, "bold"))
        for row in rows:
            # What is the same in all is written once.
            first, *others = (_cell(cell) for cell in row.cells)
            told = others if row.differs else [Text("same", "dim") for _ in others]
            made.add_row(foreign(f"  {row.label}", "" if row.differs else "dim"), first, *told)
    return made


def _cell(cell: "Cell") -> "RenderableType":
    from engine.cli.output import foreign

    return foreign(f"{cell.text} *" if cell.best else cell.text, "bold" if cell.best else "")
