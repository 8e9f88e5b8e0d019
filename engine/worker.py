"""The worker: carries out intents and looks after runs; one for each workspace.

    python -m engine.worker WORKSPACE

It wakes at once when the wake file is touched, sees other changes of the database within a second,
and otherwise looks at every active experiment as often as its backend asks. It holds the lease, so
that a second worker leaves at once, and may be killed at any moment: the next one finds everything
in the database and at the backends.
"""

import argparse
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

import watchfiles

from engine.backends.base import Backend
from engine.backends.registry import open_backends
from engine.collect import collect
from engine.errors import EngineError, EnvironmentNotReady, NotAllowed
from engine.experiments import ExperimentService
from engine.lease import Lease
from engine.remote_loop import RemoteLoop
from engine.scheduling import RETRY_SECONDS, Scheduler
from engine.store import Database, experiments, open_database
from engine.workspace import Workspace
from engine.workspace_planner import WorkspacePlanner

_log = logging.getLogger("engine.worker")

_LOOK_SECONDS = 1.0
_LOG_BYTES = 1_000_000


class Worker:
    """Looks after the experiments of a workspace while it holds the lease.

    Args:
        workspace: whose experiments.
        database: its database.
        backends: by name.
        lease: the right to do so.
        stay: whether to go on when there is nothing to do.
        look_seconds: how often the database is looked at for intents that nobody announced.
    """

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        backends: Mapping[str, Backend],
        lease: Lease,
        *,
        stay: bool = False,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._look_seconds = look_seconds
        self._workspace = workspace
        self._database = database
        self._lease = lease
        self._backends = backends
        self._idle_seconds = float("inf") if stay else workspace.settings.worker.idle_seconds
        self._scheduler = self._scheduler_of(backends, remote=False)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._remote = RemoteLoop(
            database,
            {name: backend for name, backend in backends.items() if backend.remote},
            self._scheduler_of(backends, remote=True),
            lease,
            look_seconds=look_seconds,
            on_end=self.stop,
        )

    def _scheduler_of(self, backends: Mapping[str, Backend], *, remote: bool) -> Scheduler:
        """Return a scheduler with a service of its own over some of the backends."""
        some = {name: backend for name, backend in backends.items() if backend.remote == remote}
        planner = WorkspacePlanner(self._workspace)
        service = ExperimentService(
            self._database, some, planner, self._workspace.cache, self._lease
        )
        return Scheduler(self._database, some, service)

    def run(self) -> None:
        """Work until stopped, superseded, or idle for long.

        Raises:
            LeaseLost: another worker has taken over.
        """
        watcher = threading.Thread(target=self._watch_wake_file, name="wake file", daemon=True)
        watcher.start()
        self._remote.start()
        busy_at = time.monotonic()
        try:
            while not self._stop.is_set():
                self._wake.clear()
                self._remote.wake()
                busy = self._step()
                busy_at = time.monotonic() if busy else busy_at
                if time.monotonic() - busy_at >= self._idle_seconds and self._leave():
                    return
                self._wake.wait(self._pause(busy))
            self._give_up_lease()
        finally:
            self._stop.set()
            self._remote.stop()
            watcher.join()
        if self._remote.lost is not None:
            raise self._remote.lost

    def stop(self) -> None:
        """Leave after the current step; may be called from a signal handler."""
        self._stop.set()
        self._wake.set()

    def _step(self) -> bool | None:
        """Do what is due; return whether there is work left, None when that is unknown."""
        try:
            self._lease.renew()
            busy = self._scheduler.tick() > 0
            elsewhere = self._has_remote_work()
            if self._scheduler.removed and not busy:
                self._scheduler.removed = not self._collect()
        except (EnvironmentNotReady, OSError) as error:
            _log.warning("trying again in %.0f s: %s", RETRY_SECONDS, error)
            return None
        return busy or elsewhere

    def _has_remote_work(self) -> bool:
        with self._database.read() as session:
            active = experiments.tracked(session)
        return any(self._is_remote(e.backend) for e in active) or self._remote.waiting() > 0

    def _is_remote(self, backend: str) -> bool:
        return backend in self._backends and self._backends[backend].remote

    def _pause(self, busy: bool | None) -> float:
        if busy is None:
            return RETRY_SECONDS
        seconds = self._look_seconds
        return min(seconds, self._scheduler.seconds_to_next()) if busy else seconds

    def _collect(self) -> bool:
        """Remove what only deleted experiments referred to; False when a run is in the way."""
        try:
            report = collect(self._database, self._workspace)
        except NotAllowed:
            return False
        _log.info("%d folders removed, %d bytes", len(report.removed), report.freed_bytes)
        return True

    def _leave(self) -> bool:
        """Give the lease up unless work has come in: whoever writes an intent next sees it free."""
        try:
            with self._database.write() as session:
                self._lease.guard(session)
                if experiments.tracked(session) or self._remote.waiting():
                    return False
                self._lease.release(session)
        except EnvironmentNotReady as error:
            _log.warning("leaving without giving the lease back: %s", error)
        return True

    def _give_up_lease(self) -> None:
        # Should it fail, the next worker sees that this process is gone.
        with contextlib.suppress(EnvironmentNotReady), self._database.write() as session:
            self._lease.release(session)

    def _watch_wake_file(self) -> None:
        wake_file = self._workspace.wake_file
        while not self._stop.is_set():
            try:
                wake_file.touch()
                for _ in watchfiles.watch(
                    wake_file, stop_event=self._stop, debounce=50, step=10, raise_interrupt=False
                ):
                    self._wake.set()
            except OSError as error:
                # Without it an intent is noticed a second later.
                _log.warning("%s cannot be watched now: %s", wake_file, error)
                self._stop.wait(RETRY_SECONDS)


def serve(workspace: Workspace, *, stay: bool = False) -> bool:
    """Be the worker of a workspace until stopped or idle; call it from the main thread.

    Args:
        workspace: whose experiments to look after.
        stay: whether to go on when there is nothing to do.

    Returns:
        False, at once, when another worker looks after the workspace.

    Raises:
        InvalidInput: the settings are wrong.
        EnvironmentNotReady: the workspace cannot be written, or the database cannot be opened or is
            damaged.
        LeaseLost: another worker has taken over.
    """
    workspace.prepare()
    database = open_database(workspace.database_url)
    try:
        database.check()
        lease = Lease.take(database)
        if lease is None:
            return False
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every wake
        worker = Worker(workspace, database, open_backends(workspace), lease, stay=stay)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, lambda *_: worker.stop())
        _log.info("looking after %s, epoch %d", workspace.root, lease.epoch)
        worker.run()
        _log.info("leaving")
    finally:
        database.close()
    return True


def main(arguments: list[str] | None = None) -> int:
    """Run the worker in the background; what it has to say goes to the workspace's worker log."""
    parser = argparse.ArgumentParser(prog="engine.worker", description=serve.__doc__)
    parser.add_argument("workspace", type=Path, help="folder with a config.toml")
    workspace = Workspace(parser.parse_args(arguments).workspace.resolve())
    try:
        workspace.prepare()
        logging.basicConfig(
            handlers=[
                RotatingFileHandler(workspace.worker_log, maxBytes=_LOG_BYTES, backupCount=1)
            ],
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(message)s",
        )
        serve(workspace)
    except (EngineError, OSError) as error:
        _log.error("%s", error)
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, EngineError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
