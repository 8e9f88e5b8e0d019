"""The worker as seen by others: whether it lives, waking it, starting it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

from engine.errors import EnvironmentNotReady
from engine.lease import is_held
from engine.processes import start_detached
from engine.snapshots import WorkerStatus
from engine.store import Database, experiments, fetches, leases
from engine.workspace import Workspace

_STARTING_SECONDS = 10.0
"""How long a worker that was just started may take to hold the lease."""

_LOG_LIMIT = 1_000_000
"""A larger log is set aside, replacing the one set aside before."""


class WorkerProcess:
    """Sees to it that a worker lives when there is work. May be shared between threads."""

    def __init__(self, workspace: Workspace, database: Database) -> None:
        self._workspace = workspace
        self._database = database
        self._lock = threading.Lock()
        self._started: tuple[subprocess.Popen[bytes], float] | None = None

    def status(self) -> WorkerStatus:
        """Return who looks after the experiments, and how many of them there are."""
        with self._database.read() as session:
            lease = leases.read(session)
            active = experiments.tracked(session)
        alive = is_held(lease, datetime.now(UTC))
        return WorkerStatus(
            alive=alive,
            pid=lease.process.pid if alive and lease.process else None,
            host=lease.host if alive else None,
            renewed_at=lease.renewed_at,
            active=len(active),
        )

    def wake(self) -> None:
        """Have the worker look now, starting one when none lives.

        Raises:
            EnvironmentNotReady: none lives and none can be started.
        """
        # The worker looks at the database every second besides, so a full disk only slows it.
        with contextlib.suppress(OSError):
            self._workspace.wake_file.touch()
        self.ensure()

    def ensure(self) -> None:
        """Start a worker when there is work and none lives.

        Raises:
            EnvironmentNotReady: it cannot be started.
        """
        status = self.status()
        if status.alive or not (status.active or self._is_asked()):
            return
        with self._lock:
            if not self._is_starting():
                self._started = (self._start(), time.monotonic())

    def _is_asked(self) -> bool:
        """Whether somebody waits for what only a worker can fetch."""
        with self._database.read() as session:
            return bool(fetches.pending(session))

    def _is_starting(self) -> bool:
        if self._started is None:
            return False
        process, since = self._started
        return process.poll() is None and time.monotonic() - since < _STARTING_SECONDS

    def _start(self) -> subprocess.Popen[bytes]:
        log = self._workspace.worker_log
        try:
            if log.exists() and log.stat().st_size > _LOG_LIMIT:
                os.replace(log, log.with_suffix(".log.1"))
        except OSError as error:
            raise EnvironmentNotReady(
                f"The worker's log {log} cannot be set aside: {error.strerror}."
            ) from error
        root = self._workspace.root.resolve()
        return start_detached(
            [sys.executable, "-P", "-m", "engine.worker", str(root)], log=log, cwd=root
        )
