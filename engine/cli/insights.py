"""Commands on what a run left besides its metrics: statistics, histograms."""

import contextlib
import os
from pathlib import Path

import click

from engine.cli.experiments import number_argument
from engine.cli.group import Invocation, shared_options
from engine.errors import InvalidInput


@click.command("statistics")
@number_argument
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report that any browser shows, with the result and the curves.",
)
@shared_options
@click.pass_obj
def statistics(invocation: Invocation, number: int, html_file: Path | None) -> None:
    """Show the statistics and the schema of an experiment's data."""
    with invocation.engine() as engine:
        found = engine.statistics(number)
        if html_file is not None:
            _write(html_file, engine.report(number))
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json(found.model_dump(mode="json"))
    elif html_file is not None:
        from engine.cli.output import foreign

        invocation.out.print(foreign(f"The report is in {html_file}."), soft_wrap=True)
    else:
        from engine.cli.insight_views import statistics_view

        invocation.out.print(statistics_view(found, to=invocation.out))


@click.command("histograms")
@number_argument
@shared_options
@click.pass_obj
def histograms(invocation: Invocation, number: int) -> None:
    """Show how weights and gradients were distributed, epoch by epoch."""
    with invocation.engine() as engine:
        found = engine.histograms(number)
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json(found.model_dump(mode="json"))
    else:
        from engine.cli.insight_views import histograms_view

        invocation.out.print(histograms_view(found, to=invocation.out))


def _write(path: Path, page: str) -> None:
    """Let the file appear as a whole.

    Raises:
        InvalidInput: it can't be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise InvalidInput(
            f"{path} can't be written: {error.strerror}.", hint="Name another file."
        ) from error
