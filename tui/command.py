"""The `towerlab` command as people install it: the engine's command line, with the app put into it.

The engine knows no app; here both meet. Without a subcommand, on a terminal, the app opens.
"""

import contextlib
import gc
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

from engine.errors import EngineError, NotFound
from engine.workspace import find_workspace
from tui.options import AppOptions, ColorMode, is_interactive, knows_unicode, prepare_textual

_FIRST_PAGE = 50


def main() -> NoReturn:
    """Be the console script."""
    try:
        _command()
    except SystemExit as leaving:
        alone = threading.active_count() == 1
        if "tui.app" in sys.modules or (alone and _everything_is_written()):
            _leave(leaving)
        raise


def _command() -> NoReturn:
    # The command line takes a sixth of the time to the first frame; the bare command needs none.
    if len(sys.argv) == 1 and is_interactive():
        with contextlib.suppress(EngineError):  # the command line meets it again and explains it
            sys.exit(open_app(_nearest()))
    from engine.cli import main as command_line

    command_line(open_app)


def open_app(
    root: Path | None,
    *,
    number: int | None = None,
    readonly: bool = False,
    ascii_only: bool = False,
    mouse: bool = True,
    color: str = "auto",
) -> int | None:
    """Show the app until the person leaves.

    Args:
        root: folder of the workspace; None where there is none: then the welcome opens.
        number: of the experiment that is opened at once.
        readonly: whether nothing can be changed.
        ascii_only: whether only ASCII characters are drawn; also chosen where the locale isn't
            UTF-8.
        mouse: whether the mouse is used.
        color: "auto", "full", "256", "16" or "none".

    Returns:
        The exit code, or None where there is no terminal to draw on.

    Raises:
        EngineError: the workspace cannot be used.
    """
    if not is_interactive():
        return None
    options = AppOptions(
        root=root or Path.cwd(),
        readonly=readonly,
        ascii=ascii_only or not knows_unicode(),
        mouse=mouse,
        color=_mode(color),
        number=number,
    )
    prepare_textual(options.color)
    if root is None:
        return _welcome(options)
    return _run(options)


def _run(options: AppOptions) -> int:
    from engine.glance import glance
    from engine.workspace import Workspace

    first = glance(options.root, limit=_FIRST_PAGE)
    name = first.name if first else Workspace(options.root).name
    from tui.app import TowerlabApp

    # What is imported lives for ever: the collector need not look through it again and again.
    gc.freeze()
    app = TowerlabApp(options, name, first)
    app.run(mouse=options.mouse)
    code = app.return_code or 0
    if code >= 128:
        os._exit(code)  # a terminal that is gone takes nothing more
    return code


def _everything_is_written() -> bool:
    """Whether what was printed has arrived; else the interpreter's own end says that it hasn't."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        return False
    return True


def _leave(leaving: SystemExit) -> NoReturn:
    """End the process at once: threads that still read for the app are not waited for.

    The interpreter's own end would take the libraries away from under them, which complain; and it
    takes what was imported apart bit by bit, up to 0.3 s of a command.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))


def _welcome(options: AppOptions) -> int:
    from tui.welcome import WelcomeApp

    app = WelcomeApp(options)
    arguments = app.run(mouse=options.mouse)
    if not arguments:
        return app.return_code or 0
    sys.argv[1:] = arguments
    try:
        _command()
    except SystemExit as done:
        if done.code or arguments[0] == "demo":
            raise
    return _run(options)  # what was set up


def _nearest() -> Path | None:
    try:
        return find_workspace(Path.cwd()).root
    except NotFound:
        return None


def _mode(color: str) -> ColorMode:
    modes: dict[str, ColorMode] = {
        "full": "full",
        "256": "256",
        "16": "16",
        "none": "none",
    }
    return modes.get(color, "auto")
