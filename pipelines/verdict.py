"""The verdict on a run: what its end means, and `exit.json`, which a full disk cannot prevent."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

from engine.spec.run_folder import EXIT, ExitRecord, RunError

_RESERVE = f".{EXIT}"
_RESERVED_BYTES = 64 * 1024
"""More than the longest record: messages and hints are capped long before they become JSON."""

StopReason = Literal["cancel", "shutdown"]


class ExitFile:
    """`exit.json`, whose space on the disk is taken before the run starts."""

    def __init__(self, folder: Path) -> None:
        """Take the space.

        Raises:
            OSError: there isn't even this much.
        """
        self._folder = folder
        self._file = os.open(folder / _RESERVE, os.O_RDWR | os.O_CREAT, 0o666)
        os.posix_fallocate(self._file, 0, _RESERVED_BYTES)

    def write(self, record: ExitRecord) -> None:
        """Write the record into the space taken, and let it appear under its name as a whole."""
        data = record.model_dump_json().encode()
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))
        os.fsync(self._file)
        os.close(self._file)
        (self._folder / _RESERVE).rename(self._folder / EXIT)
        fsync_folder(self._folder)


def judge(
    exit_code: int | None, stop: StopReason | None, error: RunError | None, started_at: datetime
) -> ExitRecord:
    """Return the verdict on a run that ended.

    Args:
        exit_code: of its process; negative for a signal, None when it was never started.
        stop: why the supervisor ended it, if it did.
        error: what the run said about its own failure.
        started_at: when the supervisor claimed the run.
    """
    outcome: Literal["completed", "failed", "cancelled"] = "failed"
    if exit_code == 0:
        outcome, error = "completed", None
    elif stop == "cancel":
        outcome, error = "cancelled", None
    elif stop == "shutdown":
        error = RunError(
            message="The run was stopped from outside, as a shutdown of the machine does.",
            hint="Rerun it.",
        )
    elif error is None:
        error = _unexplained(exit_code or 0)
    return ExitRecord(
        outcome=outcome,
        error=error,
        exit_code=exit_code,
        started_at=started_at,
        ended_at=datetime.now(UTC),
    )


def _unexplained(exit_code: int) -> RunError:
    if exit_code == -signal.SIGKILL:
        return RunError(
            message="The run was killed by signal 9 (SIGKILL): by someone, or by the system for"
            " lack of memory.",
            hint=f"Rerun it; if memory was short ({_free_memory()} is free now), with a smaller"
            " sample or batch size.",
        )
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return RunError(
            message=f"The run was ended by signal {-exit_code} ({name}).",
            hint="Its last output is in logs/run.log.",
        )
    return RunError(
        message=f"The run ended with exit code {exit_code} and gave no reason.",
        hint="Its last output is in logs/run.log.",
    )


def _free_memory() -> str:
    return f"{psutil.virtual_memory().available / 1e9:.1f} GB"


def fsync_folder(folder: Path) -> None:
    """Make renames and links inside a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
