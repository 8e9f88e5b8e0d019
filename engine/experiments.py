"""`ExperimentService`: the life of an experiment, from request to result or removal.

The command line and the app call what writes an intent (`create_quick_test`, `rerun_quick_test`,
`cancel_quick_test`, `delete_quick_test`); the worker calls what carries it out. State and intent
are committed before a backend is called, no transaction is open during a call, and every step may
be repeated: after a crash the worker looks before it acts.
"""

import logging
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from engine import lifecycle, outcomes
from engine.backends.base import Backend, Phase, RunStatus
from engine.backends.registry import backend_named
from engine.errors import EngineError, EnvironmentNotReady, InvalidInput, NotAllowed
from engine.lease import Lease
from engine.planning import Plan, QuickTestRequest
from engine.reruns import changed_request, in_words_of_rerun
from engine.results import columns
from engine.spec import ExperimentSpec
from engine.spec.run_folder import PROGRESS, TRAINING_LOG, TRAINING_METRICS
from engine.states import Status
from engine.store import Database, documents, experiments
from engine.store.experiments import Superseded, Tracked
from engine.store.insertion import DEFINITIONS, add_experiment
from engine.training_cache import TrainingCacheService

_log = logging.getLogger(__name__)

LOST_SECONDS = 600.0
"""How long a run elsewhere of which nothing is found is lost before it is given up."""
_FLAW_HINT = "The run goes on; that is left out."
_LOST_HINT = "It is looked for again for ten minutes."

StoredDefinitions = Mapping[str, Mapping[str, object]]
"""The three definitions of an experiment as written, by kind."""


class Planner(Protocol):
    """Turns requests into plans. Both methods raise `InvalidInput` where something is wrong."""

    def plan(self, request: QuickTestRequest) -> Plan:
        """Plan with the definitions and data as they are now."""
        ...

    def replan(self, request: QuickTestRequest, definitions: StoredDefinitions) -> Plan:
        """Plan with these definitions and the data as it is now."""
        ...


class ExperimentService:
    """The lifecycle of experiments.

    Args:
        database: where they are stored.
        backends: where they run, by name.
        planner: resolves requests.
        cache: folder of the outputs that local runs share.
        lease: fences every write of a worker; None elsewhere.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        database: Database,
        backends: Mapping[str, Backend],
        planner: Planner,
        cache: Path,
        lease: Lease | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._database = database
        self._backends = backends
        self._planner = planner
        self._cache = cache
        self._lease = lease
        self._histories = TrainingCacheService(database, backends, lease)
        self._recorded: dict[int, tuple[RunStatus, str | None]] = {}
        self._vanished: dict[int, float] = {}

    def create_quick_test(self, request: QuickTestRequest) -> int:
        """Check a request and store it as a new experiment; return its number.

        Raises:
            InvalidInput: the request, a definition or the data is wrong.
            EnvironmentNotReady: the backend cannot run it, or the database cannot be written.
        """
        self._backend(request.backend)
        return self.start_planned(self._planner.plan(request))

    def start_planned(self, plan: Plan, *, parent: int | None = None) -> int:
        """Store a plan as a new experiment; return its number.

        Args:
            plan: of a request that has been checked. A run refuses data that changes after it.
            parent: the experiment that is run again.

        Raises:
            EnvironmentNotReady: the backend cannot run it, or the database cannot be written.
        """
        self.check_ready(plan.request.backend)
        return self._add(plan, parent=parent)

    def check_ready(self, backend: str) -> None:
        """Return when experiments can be submitted to a backend, as far as can be told here.

        Raises:
            EnvironmentNotReady: something is missing; the hint says what to run.
        """
        self._backend(backend).check_ready()

    def rerun_quick_test(self, number: int, changes: Mapping[str, str]) -> int:
        """Store a new experiment with the definitions of one that has ended; return its number.

        Raises:
            NotFound: there is none with this number.
            NotAllowed: it has not ended.
            InvalidInput: a change or the data is wrong.
            EnvironmentNotReady: the backend cannot run it, or the database cannot be written.
        """
        return self._add(self.plan_rerun(number, changes), parent=number)

    def plan_rerun(self, number: int, changes: Mapping[str, str]) -> Plan:
        """Return what `rerun_quick_test` would store; raises what it does."""
        with self._database.read() as session:
            parent = experiments.track(session, number)
            request = documents.get(session, number, "request", QuickTestRequest)
            definitions = documents.get(session, number, "definitions", DEFINITIONS)
        if not parent.ended:
            raise NotAllowed(
                f"Experiment #{number} is {parent.status}; only one that has ended can be rerun.",
                hint=f"Wait for it, or run `towerlab cancel {number}`.",
            )
        if request is None or definitions is None:
            raise InvalidInput(
                f"What experiment #{number} ran with is no longer in the workspace's database.",
                hint="Start a new one: `towerlab run` takes the configs as they are today.",
            )
        request = changed_request(request, changes)
        backend = self._backend(request.backend)
        try:
            plan = self._planner.replan(request, definitions)
        except InvalidInput as error:
            raise in_words_of_rerun(error) from error
        backend.check_ready()
        return plan

    def cancel_quick_test(self, number: int) -> None:
        """Ask an experiment to end; repeating it changes nothing.

        Raises:
            NotFound: there is none with this number.
            NotAllowed: it has ended.
        """
        with self._write() as session:
            seen = experiments.track(session, number)
            if seen.ended:
                raise NotAllowed(f"Experiment #{number} has ended: it is {seen.status}.")
            self._request_cancel(session, seen)

    def delete_quick_test(self, number: int) -> None:
        """Ask for an experiment to be removed, cancelling it first; repeating changes nothing.

        Raises:
            NotFound: there is none with this number.
        """
        with self._write() as session:
            seen = experiments.track(session, number)
            if not seen.ended:
                self._request_cancel(session, seen)
            if seen.delete_requested_at is None:
                experiments.amend(session, number, delete_requested_at=_now())

    def poll_experiment_status(self, number: int) -> Phase:
        """Look at an experiment's run and store what changed; carry out its cancel or delete.

        Returns:
            What its backend said; "absent" once it is removed.

        Raises:
            NotFound: there is none with this number.
            LeaseLost: another worker has taken over.
            EnvironmentNotReady: the backend or the database did not answer; nothing changed.
        """
        with self._database.read() as session:
            seen = experiments.track(session, number)
        backend = self._backend(seen.backend)
        if seen.ended:
            if seen.delete_requested_at is not None:
                self._remove(seen, backend)
            return "absent"
        run = backend.status(seen.uid)
        try:
            self._follow(seen, run, backend)
        except Superseded:
            _log.info("experiment %d changed meanwhile; it is looked at again", number)
        return run.phase

    def submit_quick_test(self, number: int) -> bool:
        """Start a waiting experiment at its backend, or make sure that it starts.

        Returns:
            Whether the backend took it; if not, the experiment waits and its error says why.

        Raises:
            NotFound: there is none with this number.
            LeaseLost: another worker has taken over.
        """
        with self._write() as session:
            seen = experiments.track(session, number)
            spec = documents.get(session, number, "spec", ExperimentSpec)
            if seen.status != "submitting" or seen.cancel_requested_at or spec is None:
                return False
            if seen.stage in (None, lifecycle.QUEUED, lifecycle.WAITING):
                experiments.advance(session, seen, "submitting", stage=lifecycle.STARTING)
        try:
            self._backend(seen.backend).submit(spec)
        except EnvironmentNotReady as error:
            _log.warning("experiment %d cannot be started now: %s", number, error)
            self._wait(number, error)
            return False
        return True

    def extract_results(self, number: int) -> bool:
        """Read the final metrics of a run and store them; False where there are none.

        Raises:
            NotFound: there is none with this number.
        """
        with self._database.read() as session:
            seen = experiments.track(session, number)
        metrics = self._backend(seen.backend).metrics(seen.uid)
        if metrics is None:
            return False
        with self._write() as session:
            experiments.track(session, number)
            experiments.amend(session, number, **columns(metrics))
            documents.put(session, number, "metrics", metrics.model_dump_json())
        return True

    def _follow(self, seen: Tracked, run: RunStatus, backend: Backend) -> None:
        if run.phase == "vanished" or (run.phase == "absent" and seen.status != "submitting"):
            self._lose(seen, run)
            return
        self._vanished.pop(seen.number, None)
        if run.phase == "absent":
            if seen.cancel_requested_at is not None:
                self._finish(seen, run, outcomes.cancelled(run))
            elif seen.stage not in (lifecycle.QUEUED, lifecycle.WAITING):
                self._update(seen, "submitting", stage=lifecycle.QUEUED)
        elif run.phase in ("starting", "running"):
            if seen.cancel_requested_at is not None:
                backend.cancel(seen.uid)
            self._record(seen, run)
        else:
            self._finish(seen, run, outcomes.of(run, seen.number))

    def _record(self, seen: Tracked, run: RunStatus) -> None:
        """Store where a run is; nothing is written when nothing changed."""
        before, flaw = self._recorded.get(seen.number, (None, None))
        if before != run and run.phase == "running":
            self._cache_history(seen.number)
            flaw = self._live_flaw(seen)
        cancelling = seen.cancel_requested_at is not None
        stage = lifecycle.CANCELLING if cancelling else lifecycle.stage(run)
        to: Status = "running" if run.phase == "running" else "submitting"
        unchanged = (seen.status, seen.stage, seen.error_message) == (to, stage, flaw)
        if before == run and unchanged:
            return
        told = {"error_message": flaw, "error_hint": _FLAW_HINT if flaw else None}
        self._update(seen, to, run, stage=stage, progress=lifecycle.progress(run), **told)
        self._recorded[seen.number] = run, flaw

    def _live_flaw(self, seen: Tracked) -> str | None:
        backend = self._backend(seen.backend)
        flaws = (backend.flaw(seen.uid, name) for name in (TRAINING_LOG, PROGRESS))
        return next((flaw for flaw in flaws if flaw), None)

    def _lose(self, seen: Tracked, run: RunStatus) -> None:
        """A run of which nothing lives and that left no verdict, seen twice, has ended.

        One that is elsewhere is lost for a while before: it may have been out of sight only.
        """
        if seen.number not in self._vanished:
            self._vanished[seen.number] = self._clock()
            return
        remote = self._backend(seen.backend).remote
        if seen.cancel_requested_at is not None:
            self._finish(seen, run, outcomes.cancelled(run))
        elif remote and seen.status == "running":
            self._update(seen, "lost", error_message=outcomes.GONE, error_hint=_LOST_HINT)
        elif (
            not remote
            or seen.status == "submitting"
            or self._clock() - self._vanished[seen.number] >= LOST_SECONDS
        ):
            self._finish(seen, run, outcomes.interrupted(run, seen.number, remote=remote))

    def _finish(self, seen: Tracked, run: RunStatus, outcome: outcomes.Outcome) -> None:
        """Store the results, then the verdict: who sees it completed sees its metrics."""
        if run.phase != "absent":
            self._cache_history(seen.number)
            if self.extract_results(seen.number):
                with self._database.read() as session:
                    seen = experiments.track(session, seen.number)
            elif outcome.status == "completed":
                flaw = self._backend(seen.backend).flaw(seen.uid, TRAINING_METRICS)
                outcome = outcomes.without_results(run, flaw)
        error = outcome.error
        self._update(
            seen,
            outcome.status,
            run.replace(components=outcome.components),
            stage=lifecycle.last_stage(
                outcome.status, seen.stage, error.component if error else None
            ),
            progress=1.0 if outcome.status == "completed" else seen.progress,
            ended_at=run.ended_at or _now(),
            error_component=error.component if error else None,
            error_message=error.message if error else None,
            error_hint=error.hint if error else None,
        )
        self._recorded.pop(seen.number, None)
        self._vanished.pop(seen.number, None)

    def _update(
        self, seen: Tracked, to: Status, run: RunStatus | None = None, **values: object
    ) -> None:
        with self._write() as session:
            if run is None:
                experiments.advance(session, seen, to, **values)
                return
            found = {
                "started_at": run.started_at,
                "cloud_build_id": run.build_id,
                "vertex_pipeline_job_name": run.job_name,
            }
            began: dict[str, object] = {name: v for name, v in found.items() if v is not None}
            if run.phase != "absent":
                began["artifacts_uri"] = self._backend(seen.backend).artifacts_uri(seen.uid)
            cleared = {"error_component": None, "error_message": None, "error_hint": None}
            experiments.advance(session, seen, to, **{**cleared, **began, **values})
            if run.components:
                experiments.replace_components(
                    session, seen.number, outcomes.rows(seen.number, run.components)
                )
                experiments.reference_cache(
                    session, seen.number, outcomes.cache_folders(run.components, self._cache)
                )

    def _wait(self, number: int, error: EnvironmentNotReady) -> None:
        with self._write() as session:
            seen = experiments.track(session, number)
            if seen.status == "submitting" and seen.error_message != error.message:
                experiments.advance(
                    session,
                    seen,
                    "submitting",
                    stage=lifecycle.WAITING,
                    error_message=error.message,
                    error_hint=error.hint,
                )

    def note_trouble(self, number: int, error: EngineError) -> None:
        """Let whoever looks at an active experiment know why nothing is known of its run now."""
        with self._write() as session:
            seen = experiments.track(session, number)
            if not seen.ended and seen.error_message != error.message:
                told: dict[str, object] = {
                    "error_message": error.message,
                    "error_hint": error.hint,
                }
                if seen.status == "submitting" and seen.stage == lifecycle.QUEUED:
                    told["stage"] = lifecycle.WAITING
                experiments.amend(session, number, **told)

    def _remove(self, seen: Tracked, backend: Backend) -> None:
        with self._database.read() as session:
            shared, unused = experiments.cache_shared_by_others(session, seen.number)
        backend.delete(seen.uid, shared=shared, unused=unused)
        with self._write() as session:
            experiments.remove(session, seen.number)
        _log.info("experiment %d is deleted", seen.number)

    def _cache_history(self, number: int) -> None:
        try:
            self._histories.cache_training_history(number)
        except InvalidInput as error:
            _log.warning("the curves of experiment %d are left as they were: %s", number, error)

    def _add(self, plan: Plan, *, parent: int | None) -> int:
        with self._write() as session:
            uid = secrets.token_hex(8)
            return add_experiment(session, plan, uid, parent=parent, now=_now())

    def _request_cancel(self, session: Session, seen: Tracked) -> None:
        if seen.cancel_requested_at is None:
            experiments.amend(
                session, seen.number, cancel_requested_at=_now(), stage=lifecycle.CANCELLING
            )

    def _backend(self, name: str) -> Backend:
        return backend_named(self._backends, name)

    @contextmanager
    def _write(self) -> Generator[Session]:
        with self._database.write() as session:
            if self._lease is not None:
                self._lease.guard(session)
            yield session


def _now() -> datetime:
    return datetime.now(UTC)
