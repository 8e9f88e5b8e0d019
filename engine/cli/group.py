"""What all commands share: `--workspace` and `--json`, and how an error becomes an exit code.

0    done
1    the experiment failed or was cancelled, or Towerlab itself failed
2    bad input: one sentence on stderr
3    the environment isn't ready: says what to run
130  Ctrl-C; `run --wait` only stops watching

A reader that leaves early (`towerlab list | head -1`) is met with silence and exit code 1, as click
and Rich do it.
"""

import contextlib
import errno
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

from engine.errors import EngineError, InvalidInput, NotFound
from engine.text import safe_line

if TYPE_CHECKING:
    from rich.console import Console

    from engine.api import Engine
    from engine.workspace import Workspace

INTERRUPTED = 130
_NAME = "towerlab"
_NOBODY_READS = (errno.EPIPE, errno.EIO)
"""A closed pipe, a terminal that is gone."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class OpenApp(Protocol):
    """Shows the app on a workspace, or the welcome where there is none.

    Returns the exit code, or None where there is no terminal to draw on.
    """

    def __call__(
        self,
        root: Path | None,
        *,
        number: int | None = None,
        readonly: bool = False,
        ascii_only: bool = False,
        mouse: bool = True,
        color: str = "auto",
    ) -> int | None:
        """Show it until the person leaves."""
        ...


class Invocation:
    """One run of the command: where it works and how it answers.

    Attributes:
        open_app: shows the app, where this command has one.
        folder: the workspace that was named, or None.
        as_json: whether stdout gets one JSON document and nothing else.
    """

    def __init__(self, open_app: OpenApp | None = None) -> None:
        self.open_app = open_app
        self.folder: Path | None = None
        self.as_json = False

    @cached_property
    def out(self) -> "Console":
        """Where answers go."""
        from engine.cli.output import console

        return console(sys.stdout)

    @cached_property
    def err(self) -> "Console":
        """Where progress, remarks and errors go."""
        from engine.cli.output import console

        return console(sys.stderr)

    @property
    def may_ask(self) -> bool:
        """Whether there is a person who can answer a question."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def root(self) -> Path | None:
        """Return the folder of the workspace that is meant, or None where there is none.

        Raises:
            NotFound: a folder was named, and it is no workspace.
        """
        try:
            return self.workspace().root
        except NotFound:
            if self.folder is not None:
                raise
            return None

    def workspace(self) -> "Workspace":
        """Return the workspace: the one that was named, else the nearest folder upwards.

        Raises:
            NotFound: there is none.
        """
        from engine.workspace import CONFIG, Workspace, find_workspace

        if self.folder is None:
            return find_workspace(Path.cwd())
        if not (self.folder / CONFIG).is_file():
            raise NotFound(
                f"{self.folder} is no workspace: it has no {CONFIG}.",
                hint=f"`towerlab init FILE --workspace {self.folder}` makes one.",
            )
        return Workspace(self.folder.absolute())

    def engine(self) -> "Engine":
        """Open the workspace's engine; use it with `with`."""
        from engine.api import Engine

        return Engine(self.workspace())


def command(arguments: str, root: Path) -> str:
    """Return a command on a workspace as it can be typed here.

    Args:
        arguments: what follows the program, as it is typed; empty for the app.
        root: of the workspace.
    """
    from engine.workspace import find_workspace

    with contextlib.suppress(NotFound):
        if find_workspace(Path.cwd()).root == root.resolve():
            return " ".join(filter(None, (program(), arguments)))
    workspace = f"--workspace {shlex.quote(os.path.relpath(root))}"
    return " ".join(filter(None, (program(), arguments, workspace)))


def program() -> str:
    """Return how this program is called here: by its name if that finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != _NAME or "/" not in sys.argv[0]:
        return _NAME
    found = shutil.which(_NAME)
    if found is not None and Path(found).resolve() == called.resolve():
        return _NAME
    path = called.absolute()
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))


def shared_options(function: _Function) -> _Function:
    """Let a command take `--workspace` and `--json`, which are the same before and after it."""
    for option in (_JSON, _WORKSPACE):
        function = option(function)
    return function


def split_options(function: _Function) -> _Function:
    """Let a command take `--split` and the days that go with each kind of split."""
    for option in reversed(_SPLIT):
        function = option(function)
    return function


def _remember_folder(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).folder = value


def _remember_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).as_json = True


_WORKSPACE = click.option(
    "--workspace",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_remember_folder,
    expose_value=False,
    help="Folder of the workspace  [default: the nearest one upwards with a config.toml]",
)
_JSON = click.option(
    "--json",
    is_flag=True,
    callback=_remember_json,
    expose_value=False,
    help="Print one JSON document on stdout.",
)


_DAYS = click.IntRange(min=1)
_SPLIT = (
    click.option(
        "--split",
        type=click.Choice(("random", "time-holdout", "strict-time")),
        default="random",
        show_default=True,
    ),
    click.option("--holdout-days", type=_DAYS, help="time-holdout: the last days are for test."),
    click.option("--train-days", type=_DAYS, help="strict-time: days of each part."),
    click.option("--val-days", type=_DAYS),
    click.option("--test-days", type=_DAYS),
)


def _refuse_bytes(arguments: Sequence[str]) -> None:
    """Raise InvalidInput for an argument that is no text: nothing could store or print it."""
    for argument in arguments:
        if not argument.isprintable() and any("\ud800" <= c <= "\udfff" for c in argument):
            raise InvalidInput(
                f"An argument is not valid UTF-8: {safe_line(argument, limit=80)}",
                hint="Type it anew, or set the terminal to UTF-8.",
            )


class Towerlab(click.Group):
    """The root command; turns every outcome into an exit code and at most two lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people need them."""
        del ctx
        return list(self.commands)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> NoReturn:
        """Run a command and leave with its exit code."""
        del standalone_mode  # there is no other mode
        try:
            _refuse_bytes(sys.argv[1:] if args is None else args)
            code: object = super().main(
                args=args,
                prog_name=prog_name or _NAME,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            sys.stdout.flush()
        except EngineError as error:
            code = _tell(error)
        except click.ClickException as error:
            error.show()
            code = 2
        except click.Abort:
            code = INTERRUPTED
        except OSError as error:
            code = _leave_quietly() if error.errno in _NOBODY_READS else _crash(error)
        except Exception as error:  # noqa: BLE001 - the last resort, which reports it
            code = _crash(error)
        sys.exit(code if isinstance(code, int) else 0)


def _tell(error: EngineError) -> int:
    for line in (f"Error: {error.message}", error.hint):
        if line:
            typable = line.replace(f"`{_NAME} ", f"`{program()} ")
            click.echo(_word_wrapped(safe_line(typable)), err=True)
    return error.exit_code


def _word_wrapped(line: str) -> str:
    """Break a line between words where a terminal would break it anywhere."""
    if not sys.stderr.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def _leave_quietly() -> int:
    # What is still buffered would fail again when the interpreter flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _crash(error: Exception) -> int:
    from engine.crash import write_crash_report

    report = write_crash_report(error)
    kind = type(error).__name__
    click.echo(f"Towerlab failed unexpectedly ({kind}); the report is in {report}.", err=True)
    return 1
