"""The supervisor: the parent of one run, which claims it, watches it and writes the verdict.

`python -m pipelines.supervise RUN_FOLDER --module RUN_MODULE`. It imports nothing heavy, so it is
there at once, hardly needs memory, and outlives whatever happens to the run. However often and by
whomever it is started, a run starts once: the lock of the run folder admits one supervisor at a
time, and `supervisor.json` can be created only once.

A run ends early when the file `cancel` appears (SIGUSR1 makes the supervisor look at once, and
stands for the file where a full disk prevents it) or when the supervisor gets SIGTERM.
"""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.spec.process import ProcessIdentity
from engine.spec.run_folder import (
    CANCEL,
    CANCEL_SIGNAL,
    LOCK,
    RUN_LOG,
    SUPERVISOR,
    TEMPORARY,
    Supervisor,
)
from pipelines.run_process import RunProcess, start_run
from pipelines.verdict import ExitFile, StopReason, fsync_folder, judge

_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_WATCHED = {signal.SIGCHLD, CANCEL_SIGNAL, *_STOP_SIGNALS}
_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 5.0
"""How long a run may take to end before it is killed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Supervise the run of one run folder, in a process started for it."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.supervise")
    parser.add_argument("run_folder", type=Path)
    parser.add_argument("--module", required=True, help="its main(run_folder) is the run")
    options = parser.parse_args(arguments)
    supervise(options.run_folder.resolve(), options.module, warm=False)
    return 0


def supervise(folder: Path, module: str, *, warm: bool) -> None:
    """Run `module.main(folder)` and write the verdict, unless the run was claimed before.

    Args:
        folder: the run folder.
        module: name of the run's module; imported by the run's own process.
        warm: whether this process was forked by the warm runner.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)  # before anybody can know our pid
    lock = _lock(folder)
    if lock is None or (folder / SUPERVISOR).exists():
        return
    exit_file = ExitFile(folder)
    started_at = datetime.now(UTC)
    if not _claim(folder, started_at, warm=warm):
        return
    _redirect_output(folder / RUN_LOG)
    if (folder / CANCEL).exists():
        exit_file.write(judge(None, "cancel", None, started_at))
        return
    run = start_run(folder, module)
    stop = _watch(run, folder)
    exit_code, error = run.reap()
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
    exit_file.write(judge(exit_code, stop, error, started_at))


def _lock(folder: Path) -> int | None:
    """Take the run folder's lock, kept until this process and the run have ended."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError:
        return None  # the run was withdrawn or deleted
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _claim(folder: Path, started_at: datetime, *, warm: bool) -> bool:
    """Create `supervisor.json`, whole or not at all; False when it exists."""
    identity = ProcessIdentity.current()
    record = Supervisor(**identity.model_dump(), started_at=started_at, warm=warm)
    draft = folder / f".{SUPERVISOR}"
    with draft.open("w", encoding="utf-8") as file:
        file.write(record.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, folder / SUPERVISOR)
    except (FileExistsError, FileNotFoundError):
        return False
    finally:
        draft.unlink(missing_ok=True)
    fsync_folder(folder)
    return True


def _redirect_output(log: Path) -> None:
    log.parent.mkdir(exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)


def _watch(run: RunProcess, folder: Path) -> StopReason | None:
    """Return once the run's process has ended, with the reason when we ended it."""
    stop: StopReason | None = None
    kill_at = 0.0
    while not run.has_ended():
        if stop is None:
            reason = _reason_to_stop(folder)
            if reason is not None and not run.has_ended():
                stop = reason
                run.signal(signal.SIGTERM)
                kill_at = time.monotonic() + _GRACE_SECONDS
        else:
            signal.sigtimedwait(_WATCHED, _LOOK_SECONDS)
            if time.monotonic() > kill_at:
                run.signal(signal.SIGKILL)
    return stop


def _reason_to_stop(folder: Path) -> StopReason | None:
    """Wait for a signal or the next look, and return why the run must end, if it must."""
    received = signal.sigtimedwait(_WATCHED, _LOOK_SECONDS)
    if (folder / CANCEL).exists():
        return "cancel"
    if received is None or received.si_signo == signal.SIGCHLD:
        return None
    return "cancel" if received.si_signo == CANCEL_SIGNAL else "shutdown"


if __name__ == "__main__":
    sys.exit(main())
