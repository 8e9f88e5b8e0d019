"""The worker's second thread: runs that are elsewhere, where a call may take long or never return.

It has a scheduler and a service of its own, so that neither local runs nor the lease wait for a
network. It also fetches what others have asked for. Whatever it writes is fenced by the lease.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from engine.backends.base import Backend
from engine.errors import EngineError, EnvironmentNotReady
from engine.lease import Lease, LeaseLost
from engine.logs import component_named
from engine.scheduling import RETRY_SECONDS, Scheduler
from engine.spec.run_folder import ArtifactName
from engine.store import Database, fetches
from engine.store.fetches import Fetch

_log = logging.getLogger("engine.worker")

LOGS = "logs:"
"""Begins the name of a request for a component's log; other names are those of files."""
_JOIN_SECONDS = 5.0


class RemoteLoop:
    """Looks after the runs of remote backends in a thread.

    Args:
        database: where experiments and requests are.
        backends: the remote ones, by name.
        scheduler: over these backends.
        lease: fences what is written.
        look_seconds: how often the database is looked at.
        on_end: called when the thread ends by itself: another worker has taken over.
    """

    def __init__(
        self,
        database: Database,
        backends: Mapping[str, Backend],
        scheduler: Scheduler,
        lease: Lease,
        *,
        look_seconds: float,
        on_end: Callable[[], None],
    ) -> None:
        self._database = database
        self._backends = backends
        self._scheduler = scheduler
        self._lease = lease
        self._look_seconds = look_seconds
        self._on_end = on_end
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote runs", daemon=True)
        self.lost: LeaseLost | None = None

    def start(self) -> None:
        """Begin, unless there is no remote backend."""
        if self._backends:
            self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def stop(self) -> None:
        """End after the current call; one that takes long is left behind, which harms nothing."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def waiting(self) -> int:
        """Return how many requests wait for an answer.

        Raises:
            EnvironmentNotReady: the database can't be read.
        """
        with self._database.read() as session:
            return sum(f.backend in self._backends for f in fetches.pending(session))

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if not self._stop.is_set():
                self._on_end()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            pause = self._look_seconds
            try:
                self._scheduler.tick()
                self._answer_all()
                pause = min(pause, self._scheduler.seconds_to_next())
            except LeaseLost as error:
                self.lost = error
                return
            except (EnvironmentNotReady, OSError) as error:
                _log.warning("trying again in %.0f s: %s", RETRY_SECONDS, error)
                pause = RETRY_SECONDS
            except Exception:  # noqa: BLE001 - a bug must not leave all runs elsewhere alone
                _log.exception("trying again in %.0f s", RETRY_SECONDS)
                pause = RETRY_SECONDS
            self._wake.wait(pause)

    def _answer_all(self) -> None:
        with self._database.read() as session:
            waiting = [f for f in fetches.pending(session) if f.backend in self._backends]
        for fetch in waiting:
            message, hint = self._carry_out(fetch)
            with self._database.write() as session:
                self._lease.guard(session)
                fetches.answer(session, fetch, datetime.now(UTC), message, hint)

    def _carry_out(self, fetch: Fetch) -> tuple[str, str]:
        """Bring what was asked for to the run folder; return what went wrong."""
        backend = self._backends[fetch.backend]
        try:
            if fetch.name.startswith(LOGS):
                backend.logs(fetch.uid, component_named(fetch.name.removeprefix(LOGS)))
            else:
                name: ArtifactName = fetch.name  # pyright: ignore[reportAssignmentType]
                backend.artifact(fetch.uid, name)
        except EngineError as error:
            return error.message, error.hint
        except OSError as error:
            return f"{fetch.name} can't be stored: {error}", "Free space on the disk."
        except Exception as error:  # noqa: BLE001 - whoever asked waits for an answer
            _log.exception("%s of experiment %d can't be fetched", fetch.name, fetch.number)
            return f"{fetch.name} can't be fetched: {error!r}", "The worker's log has more."
        return "", ""
