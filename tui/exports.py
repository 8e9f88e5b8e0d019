"""Files that the app writes for people, whole or not at all, and what it says of them."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, InvalidInput
from engine.text import safe_line
from tui.link import Link

if TYPE_CHECKING:
    from textual.widget import Widget

    from engine.api import Engine

_FOLDER = "reports"
"""In the workspace's folder."""


async def export(
    widget: "Widget", link: Link, name: str, content: "Callable[[Engine], str]", what: str
) -> None:
    """Write a file into the workspace's folder of reports and tell where it is, or why not.

    Args:
        widget: that tells it.
        link: to the engine.
        name: of the file; one of the same name is replaced.
        content: makes the text of the file; may raise an EngineError.
        what: is written, as "report".
    """

    def write(engine: "Engine") -> Path:
        return write_export(engine.workspace.root / _FOLDER, name, content(engine))

    try:
        path = await link.order(write)
    except EngineError as error:
        told = safe_line(f"{error.message} {error.hint}", limit=400)
        widget.notify(told, severity="error", markup=False)
        return
    widget.notify(f"The {what} is in {safe_line(str(path), limit=400)}", markup=False)


def write_export(folder: Path, name: str, content: str) -> Path:
    """Write a file into a folder, which is made when missing, and return its path.

    Args:
        folder: where it goes.
        name: of the file; one of the same name is replaced.
        content: text of the file.

    Raises:
        InvalidInput: it can't be written.
    """
    path = folder / name
    draft = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(content, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise InvalidInput(
            f"{path} can't be written: {error.strerror}.",
            hint="Make room, or make the folder writable.",
        ) from error
    return path
