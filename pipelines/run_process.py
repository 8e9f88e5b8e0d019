"""The process that does a run's work: forked by its supervisor, and killed with it."""

import contextlib
import ctypes
import importlib
import logging
import os
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from engine.spec.run_folder import TEMPORARY, RunError
from pipelines.errors import explain

_PR_SET_PDEATHSIG = 1
_OOM_SCORE = "500"
_ERROR_LIMIT = 32 * 1024
"""Bytes; less than a pipe holds, so that the run never waits for its supervisor to read."""


@dataclass(frozen=True)
class RunProcess:
    """A run's process, leader of a process group of its own.

    Attributes:
        pid: of the process and its group.
        error_pipe: where it says why it fails; needs no space on the disk.
    """

    pid: int
    error_pipe: int

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the run and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signum)

    def has_ended(self) -> bool:
        """Whether the process ended; it stays a zombie, so its pid and group can't be reused."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> tuple[int, RunError | None]:
        """Return the exit code (negative for a signal) and error; ends what the run left behind."""
        self.signal(signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        with contextlib.suppress(BlockingIOError):
            os.set_blocking(self.error_pipe, False)
            data = os.read(self.error_pipe, _ERROR_LIMIT)
            with contextlib.suppress(ValidationError):
                return os.waitstatus_to_exitcode(status), RunError.model_validate_json(data)
        return os.waitstatus_to_exitcode(status), None


def start_run(folder: Path, module: str) -> RunProcess:
    """Fork a process that calls `main(folder)` of the module; an exception is its failure.

    The process inherits the lock of the run folder on purpose: the lock is free once neither the
    supervisor nor the run lives.
    """
    error_read, error_write = os.pipe()
    supervisor = os.getpid()
    _flush()
    pid = os.fork()
    if pid == 0:
        exit_code = 1
        try:
            os.close(error_read)
            _detach_from(supervisor)
            exit_code = _call(module, folder, error_write)
        finally:
            os._exit(exit_code)  # never returns into the supervisor's code, and runs no exit hooks
    os.close(error_write)
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # in both processes, so that neither can come too late
    return RunProcess(pid, error_read)


def _detach_from(supervisor: int) -> None:
    """Make this process the leader of its group, fragile enough to die with the supervisor."""
    os.setpgid(0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != supervisor:
        os._exit(1)  # it died before it could take us with it
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel takes the run and leaves a supervisor that can say so.
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def _call(module: str, folder: Path, error_pipe: int) -> int:
    sys.argv = [module]  # TFX's executors read the rest as flags of their own
    _use_temporary_folder(folder / TEMPORARY)
    try:
        importlib.import_module(module).main(folder)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the run's failure
        os.write(error_pipe, explain(error).model_dump_json().encode()[:_ERROR_LIMIT])
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return 1
    finally:
        logging.shutdown()
        _flush()
    return 0


def _use_temporary_folder(folder: Path) -> None:
    """Let libraries leave their temporary files where the supervisor removes them."""
    with contextlib.suppress(OSError):  # a full disk: the run will say so itself
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
