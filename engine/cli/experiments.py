"""Commands on experiments that exist: list, show, history, logs, cancel, delete, gc."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from engine.cli.group import Invocation, command, shared_options
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.snapshots import LogLine

_STATUSES = ("submitting", "running", "completed", "failed", "cancelled", "lost")
number_argument = click.argument("number", type=click.IntRange(min=1))


@click.command("list")
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--model-type", type=click.Choice(("retrieval", "ranking", "multitask")))
@click.option("--dataset", metavar="D")
@click.option("--feature-config", metavar="F")
@click.option("--model-config", metavar="M")
@click.option("--search", metavar="TEXT", default="", help="Words of name, description, tags; #62.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True)
@shared_options
@click.pass_obj
def list_experiments(invocation: Invocation, limit: int, page: int, **filters: str) -> None:
    """List experiments, newest first."""
    with invocation.engine() as engine:
        root = engine.workspace.root
        found = engine.list_experiments(limit=limit, offset=(page - 1) * limit, **filters)  # pyright: ignore[reportArgumentType] - click checked the choices
    if invocation.as_json:
        from engine.cli.output import print_json

        shown = found.model_dump(mode="json")
        for item, seen in zip(shown["items"], found.items, strict=True):
            # `show` has it within the baseline, which lists don't have.
            item["difference"] = seen.difference and seen.difference.model_dump(mode="json")
        print_json(shown)
        return
    from engine.cli.views import experiment_list

    if found.items:
        shown = experiment_list(found.items, found.total, now=datetime.now(UTC), to=invocation.out)
        invocation.out.print(shown)
    elif found.total:
        invocation.err.print(f"There is no page {page}: {found.total:,} experiments match.")
    elif any(filters.values()):
        invocation.err.print("No experiment matches.")
    else:
        start = "run --feature-config basic --model-config retrieval-sum --wait"
        invocation.err.print(
            f"No experiments yet. Start one: {command(start, root)}", soft_wrap=True
        )


@click.command("show")
@number_argument
@click.option("--wait", is_flag=True, help="Show its progress until it has ended.")
@shared_options
@click.pass_obj
def show(invocation: Invocation, number: int, wait: bool) -> int:
    """Show an experiment: configs, result, components.

    With --wait, the exit code is 0 for a completed experiment and 1 for another; Ctrl-C (130) stops
    watching, and the experiment goes on.
    """
    from engine.cli.output import print_json
    from engine.cli.views import experiment_overview
    from engine.cli.watching import exit_code, watch

    with invocation.engine() as engine:
        seen = watch(invocation, engine, number) if wait else engine.get(number)
    if invocation.as_json:
        print_json(seen.model_dump(mode="json"))
    else:
        invocation.out.print(experiment_overview(seen, to=invocation.out))
    return exit_code(seen) if wait else 0


@click.command("history")
@number_argument
@shared_options
@click.pass_obj
def history(invocation: Invocation, number: int) -> None:
    """Show the training curves of an experiment, and its vocabularies."""
    with invocation.engine() as engine:
        curves = engine.history(number)
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json(None if curves is None else curves.model_dump(mode="json"))
    elif curves is None:
        invocation.err.print(f"Experiment #{number} has finished no epoch.")
    else:
        from engine.cli.views import history_table

        invocation.out.print(history_table(curves))
        if curves.gradient_stats:
            from engine.cli.insight_views import weights_table

            invocation.out.print(weights_table(curves))
        if curves.vocabularies:
            from engine.cli.insight_views import vocabularies_table

            invocation.out.print(vocabularies_table(curves))
        if (ended := curves.epochs[-1] + 1) > len(curves.epochs):
            told = (
                f"{len(curves.epochs)} of {ended:,} epochs: long runs keep every 5th and the last"
            )
            invocation.out.print(told, style="dim")


@click.command("logs")
@number_argument
@click.argument("component", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--follow", is_flag=True, help="Print new lines until the experiment has ended.")
@shared_options
@click.pass_obj
def logs(
    invocation: Invocation, number: int, component: str | None, limit: int, follow: bool
) -> None:
    """Show the log of an experiment or a component.

    The newest lines, newest last (first with --json). COMPONENT is Examples, Stats, Schema,
    Transform or Train, or TFX's name of it.
    """
    with invocation.engine() as engine:
        if follow:
            _follow_logs(invocation, engine, number, component, limit)
            return
        found = engine.logs(number, component, limit=limit)
        ended = bool(found) or engine.get(number).ended
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json([line.model_dump(mode="json") for line in found])
    elif not found:
        invocation.err.print("Nothing was logged." if ended else "Nothing was logged yet.")
    else:
        for line in reversed(found):
            _print_log_line(invocation, line)


@click.command("cancel")
@number_argument
@shared_options
@click.pass_obj
def cancel(invocation: Invocation, number: int) -> None:
    """Ask an experiment to end."""
    with invocation.engine() as engine:
        seen = engine.cancel(number)
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json(seen.model_dump(mode="json"))
    else:
        invocation.out.print(f"Experiment #{number} is being cancelled.")


@click.command("delete")
@number_argument
@click.option("--yes", is_flag=True, help="Don't ask.")
@shared_options
@click.pass_obj
def delete(invocation: Invocation, number: int, yes: bool) -> None:
    """Delete an experiment and its files.

    What other experiments use of the cache stays.
    """
    with invocation.engine() as engine:
        seen = engine.get(number)
        if not yes:
            if not invocation.may_ask:
                raise InvalidInput(
                    f"Nobody can be asked whether to delete #{number}.", hint="Pass --yes."
                )
            from engine.text import safe_line

            called = f" {safe_line(seen.name, limit=60)!r}" if seen.name else ""
            running = "" if seen.ended else ", which is cancelled first"
            click.confirm(f"Delete experiment #{number}{called}{running}?", abort=True, err=True)
        engine.delete(number)
    if invocation.as_json:
        from engine.cli.output import print_json

        print_json({"number": number, "deleting": True})
    else:
        first = "" if seen.ended else "cancelled first, then "
        invocation.out.print(f"Experiment #{number} is being {first}deleted.")


@click.command("gc")
@shared_options
@click.pass_obj
def gc(invocation: Invocation) -> None:
    """Remove files that no experiment uses."""
    from engine.cli.output import foreign, print_json
    from engine.formats import size

    with invocation.engine() as engine:
        report = engine.gc()
    if invocation.as_json:
        print_json(report.model_dump(mode="json"))
        return
    for folder in report.removed:
        invocation.out.print(foreign(folder))
    count = len(report.removed)
    folders = "1 folder" if count == 1 else f"{count} folders"
    invocation.out.print(
        f"Removed {folders}, {size(report.freed_bytes)}."
        if count
        else "There was nothing to remove."
    )


def _follow_logs(
    invocation: Invocation, engine: "Engine", number: int, component: str | None, limit: int
) -> None:
    from engine.cli.following import Follower
    from engine.cli.output import foreign

    def show(line: "LogLine") -> None:
        _print_log_line(invocation, line)
        sys.stdout.flush()

    def remark(sentence: str) -> None:
        invocation.err.print(foreign(sentence, limit=1_000), soft_wrap=True)

    Follower(engine, number, component, limit, show=show, remark=remark).follow()


def _print_log_line(invocation: Invocation, line: "LogLine") -> None:
    if invocation.as_json:
        click.echo(line.model_dump_json())
        return
    from rich.text import Text

    from engine.cli.output import foreign

    style = {"WARNING": "yellow", "ERROR": "red"}.get(line.severity, "")
    invocation.out.print(
        Text.assemble(
            (f"{line.timestamp.astimezone():%H:%M:%S} ", "dim"),
            (f"{line.severity:<8}", style),
            (f"{line.component:<10}", "dim"),
            foreign(line.message, limit=4_096),
        ),
        soft_wrap=True,
    )
