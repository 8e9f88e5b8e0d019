"""`RunFiles`: logs and files of runs, for whoever may not load Google's libraries.

Those of local runs are read where they are. Those of remote runs are read from the run folder, to
which the worker brings them: it is asked through the database.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.backends.base import Backend
from engine.backends.registry import backend_named
from engine.backends.run_reading import read_artifact, read_logs
from engine.errors import EnvironmentNotReady
from engine.remote_loop import LOGS
from engine.spec.run_folder import ArtifactName, ComponentName, LogEntry
from engine.store import Database, fetches
from engine.store.experiments import Tracked

ANSWER_SECONDS = 60.0
"""How long the worker may take; it may have to import Google's libraries first."""
_LOOK_SECONDS = 0.1
_WATCH_SECONDS = 30.0


class RunFiles:
    """Reads what runs have left.

    Args:
        database: where requests are.
        backends: by name.
        runs: folder of the run folders.
        wake: makes sure that a worker looks at the requests.
    """

    def __init__(
        self,
        database: Database,
        backends: Mapping[str, Backend],
        runs: Path,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._backends = backends
        self._runs = runs
        self._wake = wake
        self._watched: dict[int, float] = {}

    def artifact(self, found: Tracked, name: ArtifactName) -> bytes | None:
        """Return a file of a run; None where there is none (yet), or it is too large.

        Raises:
            NotFound: files of this name are not given out.
            EnvironmentNotReady: it is elsewhere and can't be fetched now.
        """
        backend = backend_named(self._backends, found.backend)
        if not backend.remote:
            return backend.artifact(found.uid, name)
        folder = self._runs / found.uid
        content = read_artifact(folder, name)
        if content is None:
            self._ask(found.number, [name])
            content = read_artifact(folder, name)
        return content

    def logs(
        self, found: Tracked, components: Sequence[ComponentName], *, limit: int
    ) -> dict[ComponentName, list[LogEntry]]:
        """Return the newest log entries of components, newest first.

        Raises:
            EnvironmentNotReady: they are elsewhere and can't be fetched now.
        """
        backend = backend_named(self._backends, found.backend)
        if not backend.remote:
            return {name: backend.logs(found.uid, name, limit=limit) for name in components}
        self._ask(found.number, [f"{LOGS}{name}" for name in components])
        folder = self._runs / found.uid
        return {name: read_logs(folder, name, limit) for name in components}

    def watch(self, number: int, backend: str) -> None:
        """Let the worker look at an active run each time: somebody is watching it.

        Noted every half minute at most, since each note is news for all who watch the database.
        Where it can't be noted the run is looked at less often, which is no reason not to show it.
        """
        now = time.monotonic()
        if not backend_named(self._backends, backend).remote:
            return
        if now - self._watched.get(number, -_WATCH_SECONDS) >= _WATCH_SECONDS:
            self._watched[number] = now
            with contextlib.suppress(EnvironmentNotReady), self._database.write() as session:
                fetches.watch(session, number, datetime.now(UTC))

    def _ask(self, number: int, names: Sequence[str]) -> None:
        """Have the worker fetch something, and wait for it."""
        asked_at = datetime.now(UTC)
        with self._database.write() as session:
            for name in names:
                fetches.request(session, number, name, asked_at)
        self._wake()
        deadline = time.monotonic() + ANSWER_SECONDS
        for name in names:
            while (answer := self._answer(number, name, asked_at)) is None:
                if time.monotonic() > deadline:
                    raise EnvironmentNotReady(
                        f"Nothing was fetched within {ANSWER_SECONDS:.0f} s: the worker is busy, or"
                        " Google doesn't answer.",
                        hint="Look again later; `towerlab doctor` checks both.",
                    )
                time.sleep(_LOOK_SECONDS)
            if answer.message:
                raise EnvironmentNotReady(answer.message, hint=answer.hint)

    def _answer(self, number: int, name: str, since: datetime) -> fetches.Answer | None:
        with self._database.read() as session:
            return fetches.answered(session, number, name, since)
