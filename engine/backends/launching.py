"""Getting a submitted run started: by the warm runner where there is one, else in a new process.

Nothing here waits. A start that doesn't lead to a claim is noticed at the next call and made in
another way; starting too often is harmless, because a run folder can be claimed only once.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psutil

from engine.backends.run_reading import last_output
from engine.errors import EnvironmentNotReady
from engine.processes import start_detached
from engine.spec.run_folder import LOCK, LOGS, RUN_LOG, SUPERVISOR
from engine.spec.warm import WARM_LOG, WARM_REQUESTS, WarmRequest
from engine.workspace import Workspace

_WARM_SECONDS = 60.0
"""How long the warm runner, which may still be importing, may take to claim a run."""
_COLD_SECONDS = 20.0
"""How long a new supervisor may take to claim a run."""
_COLD_STARTS = 3
_GIGABYTE = 1024**3
_PYTHON_OPTIONS = ("-P", "-W", "ignore::FutureWarning")
"""No file of the current folder passes for a module; Google's libraries don't fill the log."""


@dataclass(frozen=True)
class _Attempt:
    """One try to start a run; `process` is what was started for it, None when one was asked."""

    warm: bool
    give_up_at: float
    process: subprocess.Popen[bytes] | None
    cold_starts: int

    def is_over(self, *, warm_runner_lives: bool) -> bool:
        """Whether it can't lead to a claim any more."""
        alive = warm_runner_lives if self.process is None else self.process.poll() is None
        return not alive or time.monotonic() > self.give_up_at


class Launcher:
    """Starts the runs of a workspace's run folders."""

    def __init__(self, workspace: Workspace) -> None:
        self._settings = workspace.settings.local
        self._state = workspace.state
        self._runs = workspace.runs
        self._attempts: dict[str, _Attempt] = {}

    def ensure_started(self, uid: str) -> None:
        """Start a run unless it was claimed, or a start is under way.

        Raises:
            EnvironmentNotReady: it can't be started; its folder is gone.
        """
        if (self._runs / uid / SUPERVISOR).exists():
            self._attempts.pop(uid, None)
            return
        try:
            self._attempts[uid] = self._attempt(uid, self._attempts.get(uid))
        except EnvironmentNotReady:
            if withdraw(self._runs, uid):
                self._attempts.pop(uid, None)
                raise

    def _attempt(self, uid: str, last: _Attempt | None) -> _Attempt:
        if last is None:
            return self._ask_warm_runner(uid) or self._start_cold(uid, 0)
        if not last.is_over(warm_runner_lives=self._warm_runner_lives()):
            return last
        if last.warm and last.process is not None and self._send_request(uid):
            return replace(last, process=None)  # our warm runner made room for an older one
        if last.cold_starts < _COLD_STARTS:
            return self._start_cold(uid, last.cold_starts)
        reason = last_output(self._runs / uid / RUN_LOG) or "its process ended without a word"
        raise EnvironmentNotReady(
            f"The run could not be started: {reason}.", hint="Run `towerlab doctor`."
        )

    def start_supervisor(self, uid: str) -> None:
        """Start a supervisor besides whatever else may be starting the run."""
        self._attempts[uid] = self._start_cold(uid, 0)

    def _ask_warm_runner(self, uid: str) -> _Attempt | None:
        if not self._settings.warm_runner:
            return None
        attempt = _Attempt(True, time.monotonic() + _WARM_SECONDS, None, 0)
        if self._send_request(uid):
            return attempt
        if psutil.virtual_memory().available < self._settings.warm_min_free_gb * _GIGABYTE:
            return None
        options = {
            "--module": self._settings.run_module,
            "--run": uid,
            "--idle-minutes": str(self._settings.warm_idle_minutes),
            "--min-free-gb": str(self._settings.warm_min_free_gb),
        }
        arguments = [str(self._state), *(part for pair in options.items() for part in pair)]
        process = self._start_module("pipelines.warm", arguments, log=self._state / WARM_LOG)
        return replace(attempt, process=process)

    def _send_request(self, uid: str) -> bool:
        pipe = self._open_requests()
        if pipe is None:
            return False
        request = WarmRequest(run=uid, module=self._settings.run_module)
        try:
            os.write(pipe, request.model_dump_json().encode() + b"\n")
        except OSError:
            return False
        finally:
            os.close(pipe)
        return True

    def _warm_runner_lives(self) -> bool:
        pipe = self._open_requests()
        if pipe is None:
            return False
        os.close(pipe)
        return True

    def _open_requests(self) -> int | None:
        """Open the warm runner's pipe for writing; None when nobody reads it."""
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW
            return os.open(self._state / WARM_REQUESTS, flags)
        except OSError:
            return None

    def _start_cold(self, uid: str, starts: int) -> _Attempt:
        folder = self._runs / uid
        arguments = [str(folder), "--module", self._settings.run_module]
        process = self._start_module("pipelines.supervise", arguments, log=folder / RUN_LOG)
        return _Attempt(False, time.monotonic() + _COLD_SECONDS, process, starts + 1)

    def _start_module(
        self, module: str, arguments: list[str], *, log: Path
    ) -> subprocess.Popen[bytes]:
        return start_detached(
            [sys.executable, *_PYTHON_OPTIONS, "-m", module, *arguments],
            log=log,
            cwd=self._state,
        )


def withdraw(runs: Path, uid: str) -> bool:
    """Take a submission back; False when a supervisor claimed it first, or is about to.

    Once the folder is gone, no start that is still under way can claim it.
    """
    folder = runs / uid
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (folder / SUPERVISOR).exists():
            return False
        remove_folder(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def create_folder(runs: Path, uid: str, files: dict[str, bytes]) -> bool:
    """Let a run folder appear with these files in it; False when it exists.

    Raises:
        OSError: it can't be written; nothing is left of it.
    """
    if (runs / uid).is_dir():
        return False
    for abandoned in runs.glob(f".new-{uid}-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    draft = runs / f".new-{uid}-{uuid4().hex}"
    try:
        (draft / LOGS).mkdir(parents=True)
        for name, data in files.items():
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        draft.rename(runs / uid)
    except OSError:
        if not (runs / uid).is_dir():
            raise
        return False
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def remove_folder(folder: Path) -> None:
    """Remove a run folder: at once as seen by others, and whatever an earlier removal left."""
    with contextlib.suppress(FileNotFoundError):
        folder.rename(folder.with_name(f".old-{folder.name}-{uuid4().hex}"))
    for removed in folder.parent.glob(f".old-{folder.name}-*"):
        shutil.rmtree(removed)
