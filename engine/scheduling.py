"""What the worker does with the experiments of a workspace: looks, queues, starts, removes."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from engine.backends.base import Backend, Phase
from engine.errors import EngineError, NotFound
from engine.experiments import ExperimentService
from engine.lease import LeaseLost
from engine.store import Database, experiments, fetches
from engine.store.experiments import Tracked

_log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""How long an experiment is left alone after something (a full disk, say) went wrong with it."""

WATCHED_FOR = timedelta(seconds=60)
"""How long after somebody has looked at an experiment it counts as being watched."""

_News = tuple[int, datetime | None, datetime | None, bool]


class Scheduler:
    """Looks at every backend's experiments as often as it asks, and at once when there is news.

    Args:
        database: where experiments are stored.
        backends: where they run, by name.
        service: what one step with one experiment is.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        database: Database,
        backends: Mapping[str, Backend],
        service: ExperimentService,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._backends = backends
        self._service = service
        self._clock = clock
        self._due: dict[str, float] = {}
        self._known: set[_News] = set()
        self._retry_at: dict[int, float] = {}
        self.removed = False
        """Whether an experiment was removed, so that shared outputs may be garbage now."""

    def tick(self) -> int:
        """Look at what is due; return how many experiments have work left.

        Raises:
            LeaseLost: another worker has taken over.
            EnvironmentNotReady: the database cannot be read or written.
        """
        with self._database.read() as session:
            found = experiments.tracked(session)
        for name, backend in self._backends.items():
            mine = [e for e in found if e.backend == name]
            news = any(_news(e) not in self._known for e in mine)
            if mine and (news or self._clock() >= self._due.get(name, 0.0)):
                self._due[name] = self._clock() + backend.poll_seconds
                self._look_at_all(backend, mine)
        self._known = {_news(e) for e in found}
        self._retry_at = {e.number: at for e in found if (at := self._retry_at.get(e.number))}
        return sum(e.backend in self._backends for e in found)

    def seconds_to_next(self) -> float:
        """How long until a backend is due that was last looked at; infinite when none was."""
        soonest = min(self._due.values(), default=float("inf"))
        return max(soonest - self._clock(), 0.0)

    def _look_at_all(self, backend: Backend, mine: Sequence[Tracked]) -> None:
        """Look at each experiment, then start the oldest ones for which there is room."""
        due = [e for e in mine if not e.ended and not self._is_postponed(e)]
        if due:
            backend.begin_round([e.uid for e in due], self._watched(due) if backend.remote else ())
        phases = {e.number: self._look(e) for e in mine}
        # What could not be looked at may be running.
        taken = sum(phases[e.number] in (None, "starting", "running") for e in mine if not e.ended)
        for experiment in mine:
            phase = phases[experiment.number]
            if experiment.ended or experiment.cancel_requested_at is not None:
                continue
            if phase == "starting":
                self._start(experiment)  # should a start have come to nothing, it is made again
            elif phase == "absent" and taken < backend.capacity:
                taken += self._start(experiment)

    def _watched(self, due: Sequence[Tracked]) -> list[str]:
        """Return the runs that somebody is looking at."""
        since = datetime.now(UTC) - WATCHED_FOR
        with self._database.read() as session:
            numbers = fetches.watched(session, since)
        return [e.uid for e in due if e.number in numbers]

    def _look(self, experiment: Tracked) -> Phase | None:
        """Return what the backend said; None when that is unknown."""
        if self._is_postponed(experiment):
            return None
        try:
            phase = self._service.poll_experiment_status(experiment.number)
        except LeaseLost:
            raise
        except NotFound:
            return "vanished"
        except Exception as error:  # noqa: BLE001 - what is wrong with one stays with it
            self._postpone(experiment, error)
            return None
        self.removed |= experiment.ended
        return phase

    def _start(self, experiment: Tracked) -> bool:
        try:
            started = self._service.submit_quick_test(experiment.number)
        except LeaseLost:
            raise
        except NotFound:
            return False
        except Exception as error:  # noqa: BLE001 - what is wrong with one stays with it
            self._postpone(experiment, error)
            return True  # it may have been started
        if not started:
            self._retry_at[experiment.number] = self._clock() + RETRY_SECONDS
        return started

    def _is_postponed(self, experiment: Tracked) -> bool:
        if _news(experiment) not in self._known:
            return False
        return self._clock() < self._retry_at.get(experiment.number, 0.0)

    def _postpone(self, experiment: Tracked, error: Exception) -> None:
        expected = isinstance(error, (EngineError, OSError))
        _log.warning(
            "experiment %d is tried again soon: %s",
            *(experiment.number, error),
            exc_info=None if expected else error,
        )
        self._retry_at[experiment.number] = self._clock() + RETRY_SECONDS
        if not expected:
            error = EngineError(
                f"It can't be looked at: {error!r}", hint="Its worker's log has more."
            )
        if isinstance(error, EngineError) and self._backends[experiment.backend].remote:
            with contextlib.suppress(NotFound):
                self._service.note_trouble(experiment.number, error)


def _news(experiment: Tracked) -> _News:
    """What others change of an experiment, or how it ended: worth an immediate look."""
    return (
        experiment.number,
        experiment.cancel_requested_at,
        experiment.delete_requested_at,
        experiment.ended,
    )
