"""Commands that start experiments: run, rerun, promote."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from engine.cli.experiments import number_argument
from engine.cli.group import Invocation, command, shared_options, split_options
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.planning import QuickTestRequest
    from engine.snapshots import ExperimentDetail


@click.command("run")
@click.option("--feature-config", metavar="F", required=True, help="Name of a feature config.")
@click.option("--model-config", metavar="M", required=True, help="Name of a model config.")
@click.option("--dataset", metavar="D", help="Refuse unless the feature config is of this dataset.")
@click.option(
    "--sample",
    "sample_percent",
    type=click.FloatRange(1, 100),
    metavar="PERCENT",
    help="Share of the buyers to use  [default: from the data]",
)
@click.option(
    "--sample-by",
    type=click.Choice(("buyer", "row")),
    help="Take whole buyers or single rows  [default: row for ranking, else buyer]",
)
@click.option("--epochs", type=click.IntRange(1, 1000), default=3, show_default=True)
@click.option(
    "--batch-size", type=click.IntRange(1, 65_536), help="[default: the model's, or from the data]"
)
@click.option(
    "--learning-rate", type=click.FloatRange(0, 1, min_open=True), help="[default: the model's]"
)
@split_options
@click.option(
    "--hardware",
    type=click.Choice(("small", "medium", "large")),
    help="Machines of Dataflow's workers; nothing on this machine.",
)
@click.option(
    "--backend", type=click.Choice(("local", "vertex")), default="local", show_default=True
)
@click.option(
    "--upload-rows",
    is_flag=True,
    help="vertex: send the sampled rows to Cloud Storage if the dataset isn't in BigQuery.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--early-stopping",
    type=click.IntRange(1, 1000),
    metavar="EPOCHS",
    help="End after so many epochs without a better value, and keep the best.",
)
@click.option(
    "--early-stopping-on",
    type=click.Choice(("val_loss", "primary")),
    default="val_loss",
    show_default=True,
)
@click.option("--deterministic", is_flag=True, help="Equal seeds give equal results; slower.")
@click.option("--name", default="", help="What to call the experiment.")
@click.option("--description", default="")
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option("--wait", is_flag=True, help="Show progress and the result.")
@shared_options
@click.pass_obj
def run(invocation: Invocation, dataset: str | None, wait: bool, **values: object) -> int:
    """Start an experiment.

    With --wait, the exit code is 0 for a completed experiment and 1 for another; Ctrl-C (130) stops
    watching, and the experiment goes on.
    """
    from engine.cli.output import foreign

    request = _request(values)
    with invocation.engine() as engine:
        if dataset is not None:
            _check_dataset(engine, request, dataset)
        engine.check_ready(request.backend)
        plan = engine.plan(request)
        if transfer := engine.transfer(plan):
            invocation.err.print(foreign(str(transfer), limit=1_000))
        return conclude(invocation, engine, engine.start(plan), wait=wait)


@click.command("rerun")
@number_argument
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option("--wait", is_flag=True, help="Show progress and the result.")
@shared_options
@click.pass_obj
def rerun(invocation: Invocation, number: int, changes: tuple[str, ...], wait: bool) -> int:
    """Run an experiment again.

    With the definitions it ran with, and parameters changed by --set: KEY is an option of `run`
    without its leading dashes, as in --set sample=25 --set learning-rate=0.005 (or learning_rate).
    """
    with invocation.engine() as engine:
        created = engine.rerun(number, dict(_pair(change) for change in changes))
        return conclude(invocation, engine, created, wait=wait)


@click.command("promote")
@number_argument
@click.option("--yes", is_flag=True, help="Don't ask, unless something speaks against it.")
@click.option("--anyway", is_flag=True, help="Nor when something speaks against it.")
@click.option("--wait", is_flag=True, help="Show progress and the result.")
@shared_options
@click.pass_obj
def promote(invocation: Invocation, number: int, yes: bool, anyway: bool, wait: bool) -> int:
    """Run an experiment on all rows, on Google Cloud.

    With the definitions it ran with. Reads BigQuery where the dataset is there, else sends the rows
    to Cloud Storage. Says first how much that is, and asks; a result that doesn't beat its baseline
    is asked about once more.
    """
    from engine.cli.output import foreign

    with invocation.engine() as engine:
        found = engine.promotion(number)
        invocation.err.print(foreign(str(found), limit=2_000))
        for doubt in found.doubts:
            invocation.err.print(foreign(f"Warning: {doubt}", "yellow", limit=1_000))
        if not (yes or anyway):
            _ask(invocation, f"Run #{number} on all rows, on Google Cloud?", "--yes")
        if found.doubts and not anyway:
            _ask(invocation, "All the same?", "--anyway")
        return conclude(invocation, engine, engine.promote(found), wait=wait)


def _ask(invocation: Invocation, question: str, option: str) -> None:
    """Ask for consent.

    Raises:
        InvalidInput: nobody can be asked.
    """
    if not invocation.may_ask:
        raise InvalidInput(f"Nobody can be asked: {question}", hint=f"Pass {option}.")
    click.confirm(question, abort=True, err=True)


def conclude(
    invocation: Invocation, engine: "Engine", created: "ExperimentDetail", *, wait: bool
) -> int:
    """Say that an experiment was created, or wait for it and print its result."""
    from engine.cli.output import foreign, print_json
    from engine.cli.watching import exit_code, print_outcome, warn, watch

    warn(invocation, created)
    if wait:
        ended = watch(invocation, engine, created.number)
        print_outcome(invocation, ended)
        return exit_code(ended)
    if invocation.as_json:
        print_json(created.model_dump(mode="json"))
        return 0
    called = created.name or f"{created.feature_config} · {created.model_config_name}"
    invocation.out.print(foreign(f"Experiment #{created.number} is queued: {called}"))
    watching = command(f"show {created.number} --wait", engine.workspace.root)
    invocation.out.print(f"  {watching}   watches it", soft_wrap=True)
    return 0


def _request(values: Mapping[str, object]) -> "QuickTestRequest":
    from pydantic import ValidationError

    from engine.planning import QuickTestRequest

    named = {("model_config_name" if k == "model_config" else k): v for k, v in values.items()}
    try:
        return QuickTestRequest.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


def _check_dataset(engine: "Engine", request: "QuickTestRequest", dataset: str) -> None:
    belongs_to = engine.definitions().feature_config(request.feature_config).dataset
    if belongs_to != dataset:
        raise InvalidInput(
            f"Feature config {request.feature_config!r} is of dataset {belongs_to!r},"
            f" not of {dataset!r}."
        )


def _pair(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise InvalidInput(f"--set takes KEY=VALUE, not {change!r}.")
    return key.strip(), value
