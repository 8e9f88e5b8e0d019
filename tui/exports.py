"""Files that the app writes for people, whole or not at all."""

import contextlib
import os
from pathlib import Path

from engine.errors import InvalidInput


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
