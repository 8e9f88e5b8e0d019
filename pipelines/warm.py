"""The warm runner: a process that has imported the run module, and forks a supervisor a run.

`python -m pipelines.warm STATE_FOLDER --module RUN_MODULE [--run UID]`, one per workspace.
Importing TFX and TensorFlow takes 20 s and more; a fork of a process that has done so starts at
once. This process runs no TensorFlow operation, because a fork would inherit the locks of threads
but not the threads.

Requests are lines of JSON in a named pipe, and may be lost: whoever asks looks whether the run was
claimed, and else starts it by itself. The runner leaves when nobody asked for a while, when memory
is short, and when the code that it has imported has changed on the disk. Runs never depend on it:
they are in sessions of their own and hold none of its files.
"""

import argparse
import contextlib
import fcntl
import gc
import importlib
import logging
import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import ValidationError

import engine.spec
import pipelines
from engine.spec.warm import RUNS, WARM_LOCK, WARM_REQUESTS, WarmRequest
from pipelines.supervise import supervise

_LOOK_SECONDS = 1.0
_READ_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """When the warm runner leaves."""

    idle_seconds: float
    min_free_bytes: float


@dataclass
class WarmRunner:
    """Forks a supervisor for each request, until it is time to leave.

    Attributes:
        state: the workspace's state folder; run folders are in its folder `runs`.
        module: the module imported, whose `main` is a run.
        files: descriptors that a run must not inherit.
    """

    state: Path
    module: str
    limits: Limits
    files: tuple[int, ...]
    code: str
    children: set[int] = field(default_factory=set)
    wanted_at: float = field(default_factory=time.monotonic)

    def start(self, request: WarmRequest) -> None:
        """Start a run: forked from here, or cold where we have imported something else."""
        folder = self.state / RUNS / request.run
        self.wanted_at = time.monotonic()
        if request.module != self.module or code_signature() != self.code:
            self.children.add(_start_cold(folder, request.module))
            return
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid:
            self.children.add(pid)
            return
        exit_code = 1
        try:
            os.setsid()
            for descriptor in self.files:
                os.close(descriptor)
            supervise(folder, request.module, warm=True)
            exit_code = 0
        except Exception:
            _log.exception("The supervisor of %s failed", request.run)
            raise
        finally:
            os._exit(exit_code)  # never returns into the warm runner's loop

    def reap(self) -> None:
        """Forget the supervisors that ended."""
        for pid in tuple(self.children):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.children.remove(pid)
                self.wanted_at = time.monotonic()

    def reason_to_leave(self) -> str | None:
        """Return why it is time to leave, or None."""
        if code_signature() != self.code:
            return "the code changed"
        if psutil.virtual_memory().available < self.limits.min_free_bytes:
            return "memory is short"
        if not self.children and time.monotonic() - self.wanted_at > self.limits.idle_seconds:
            return "nobody asked for a run"
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Import the run module once and serve requests until it is time to leave."""
    options = _parse(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    _log.setLevel(logging.INFO)
    state = options.state.resolve()
    lock = os.open(state / WARM_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # there is one already; who started us asks it instead
    requests = _open_requests(state / WARM_REQUESTS)
    limits = Limits(options.idle_minutes * 60, options.min_free_gb * 1024**3)
    runner = WarmRunner(state, options.module, limits, (lock, requests), code_signature())
    started = time.monotonic()
    importlib.import_module(options.module)
    _log.info("Imported %s in %.1f s", options.module, time.monotonic() - started)
    gc.collect()
    gc.freeze()  # keeps the memory shared with the forks: the collector doesn't touch it any more
    if options.run:
        runner.start(WarmRequest(run=options.run, module=options.module))
    _serve(runner, requests)
    return 0


def _serve(runner: WarmRunner, requests: int) -> None:
    while (reason := runner.reason_to_leave()) is None:
        for request in _wait_for_requests(requests, _LOOK_SECONDS):
            runner.start(request)
        runner.reap()
    for request in _wait_for_requests(requests, 0):
        _start_cold(runner.state / RUNS / request.run, request.module)
    _log.info("Leaving: %s", reason)
    os._exit(0)  # the libraries' own endings take seconds, and complain about each other


def _wait_for_requests(requests: int, seconds: float) -> Iterator[WarmRequest]:
    if select.select([requests], [], [], seconds)[0]:
        for line in os.read(requests, _READ_BYTES).splitlines():
            try:
                yield WarmRequest.model_validate_json(line)
            except ValidationError as error:
                _log.warning("Not a request: %s", error)


def _open_requests(path: Path) -> int:
    """Open the named pipe for reading; also for writing, so that it never reports its end."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def _start_cold(folder: Path, module: str) -> int:
    """Start a supervisor that shares nothing with us; returns its pid."""
    arguments = [sys.executable, "-P", "-m", "pipelines.supervise", str(folder), "--module", module]
    return os.posix_spawn(
        sys.executable,
        arguments,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setsid=True,
    )


def code_signature() -> str:
    """Return what changes when a source file of ours does: names, sizes and times."""
    roots = (Path(pipelines.__file__).parent, Path(engine.spec.__file__).parent)
    files = sorted(path for root in roots for path in root.rglob("*.py"))
    return "\n".join(f"{path} {_size_and_time(path)}" for path in files)


def _size_and_time(path: Path) -> tuple[int, int]:
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return 0, 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.warm")
    parser.add_argument("state", type=Path, help="the workspace's state folder")
    parser.add_argument("--module", required=True, help="its main(run_folder) is a run")
    parser.add_argument("--run", help="uid of a run to start first")
    parser.add_argument("--idle-minutes", type=float, default=15.0)
    parser.add_argument("--min-free-gb", type=float, default=2.0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
