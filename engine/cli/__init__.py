"""The `towerlab` command. What is heavy is imported inside the commands that need it."""

import gc
import sys
from io import TextIOWrapper
from typing import NoReturn

import click

from engine.cli import comparing, experiments, insights, machine, runs, setup
from engine.cli.definitions import definition_commands
from engine.cli.group import Invocation, OpenApp, Towerlab, shared_options

_COMMANDS = (
    setup.demo,
    setup.init,
    runs.run,
    experiments.list_experiments,
    experiments.show,
    experiments.logs,
    experiments.history,
    comparing.compare,
    insights.statistics,
    insights.histograms,
    experiments.cancel,
    runs.rerun,
    runs.promote,
    experiments.delete,
    experiments.gc,
    definition_commands("datasets"),
    definition_commands("features"),
    definition_commands("models"),
    machine.worker,
    machine.doctor,
    machine.paths,
)
_NEW_OBJECTS = 50_000
"""After how many the collector looks for garbage; Python's 700 cost a tenth of the imports."""


@click.group(
    cls=Towerlab,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="towerlab", message="towerlab %(version)s")
@shared_options
@click.option("--readonly", is_flag=True, help="In the app: change nothing, start no worker.")
@click.option("--ascii", "ascii_only", is_flag=True, help="In the app: draw ASCII only.")
@click.option("--no-mouse", is_flag=True, help="In the app: leave the mouse to the terminal.")
@click.option(
    "--color",
    type=click.Choice(["auto", "full", "256", "16", "none"]),
    default="auto",
    help="In the app: how many colours the terminal has.",
)
@click.pass_context
def towerlab(
    context: click.Context, readonly: bool, ascii_only: bool, no_mouse: bool, color: str
) -> int | None:
    """Quick tests of two-tower recommenders: real TFX pipelines, on this machine.

    Without a command, the full-screen app opens. Start with `towerlab demo`, or
    `towerlab init FILE` for data of your own.
    """
    invocation = context.ensure_object(Invocation)
    if context.invoked_subcommand is not None:
        return None
    code = None
    if invocation.open_app is not None and not invocation.as_json:
        code = invocation.open_app(
            invocation.root(),
            readonly=readonly,
            ascii_only=ascii_only,
            mouse=not no_mouse,
            color=color,
        )
    if code is None:
        click.echo(context.get_help())
    return code


for _command in _COMMANDS:
    towerlab.add_command(_command)


def main(open_app: OpenApp | None = None) -> NoReturn:
    """Be the command.

    Args:
        open_app: shows the app; without it, the command without a subcommand prints its help.
    """
    # What is imported lives as long as the command: the collector looked through it for nothing.
    gc.set_threshold(_NEW_OBJECTS)
    # What a terminal's encoding can't show becomes "?" instead of an error.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    towerlab.main(obj=Invocation(open_app))
