"""What `--wait` does: choose how progress is shown, let Ctrl-C detach, print the result."""

from click.exceptions import Exit
from rich.console import Console
from rich.text import Text

from engine.api import Engine
from engine.cli.group import INTERRUPTED, Invocation, command
from engine.cli.output import foreign
from engine.cli.progress import Display, Lines, Reasons, Reporter, follow
from engine.snapshots import ExperimentDetail


def warn(invocation: Invocation, created: ExperimentDetail) -> None:
    """Print what is worth telling before the run of a new experiment; `show` repeats it.

    A terminal gets whole words on each line; a file or a pipe gets one line a sentence.
    """
    for sentence in created.verdicts:
        told = Text.assemble(("Warning: ", "yellow"), foreign(sentence))
        invocation.err.print(told, soft_wrap=not invocation.err.is_terminal)


def watch(invocation: Invocation, engine: Engine, number: int) -> ExperimentDetail:
    """Show an experiment's progress until it has ended.

    Raises:
        Exit: Ctrl-C; the experiment goes on.
    """
    try:
        return follow(engine, number, _reporter(invocation))
    except KeyboardInterrupt as error:
        root = engine.workspace.root
        invocation.err.print(f"Experiment #{number} goes on.")
        for arguments, effect in (
            (f"show {number} --wait", "watches it again"),
            (f"cancel {number}", "ends it"),
        ):
            invocation.err.print(f"  {command(arguments, root)}   {effect}", soft_wrap=True)
        raise Exit(INTERRUPTED) from error


def print_outcome(invocation: Invocation, seen: ExperimentDetail) -> None:
    """Print the metrics beside the baseline's, or why there are none."""
    from engine.cli.output import print_json
    from engine.cli.views import failure_view, result_view

    if invocation.as_json:
        print_json(seen.model_dump(mode="json"))
        return
    result = result_view(seen) if seen.status == "completed" else failure_view(seen)
    if result is not None:
        invocation.out.print()
        invocation.out.print(result)


def exit_code(seen: ExperimentDetail) -> int:
    """Return 0 for a completed experiment, 1 for one that failed or was cancelled."""
    return 0 if seen.status == "completed" else 1


def _reporter(invocation: Invocation) -> Reporter:
    """Return a display where somebody looks; JSON on stdout stays alone there."""
    if invocation.as_json:
        return Display(invocation.err) if _can_draw(invocation.err) else Reasons(invocation.err)
    if _can_draw(invocation.out):
        return Display(invocation.out)
    return Lines(invocation.out, invocation.err)


def _can_draw(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal
