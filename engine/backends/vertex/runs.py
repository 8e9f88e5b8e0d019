"""The runs of a workspace on Google Cloud: what the worker asks about them and of them."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from google.cloud.aiplatform_v1 import PipelineJob
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.base import RunStatus
from engine.backends.run_reading import read_progress
from engine.backends.vertex import builds as build_states
from engine.backends.vertex import jobs as job_states
from engine.backends.vertex import mirror
from engine.backends.vertex.builds import Builds
from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.dataflow import Dataflow
from engine.backends.vertex.deleting import delete_run
from engine.backends.vertex.jobs import Jobs, Stamp
from engine.backends.vertex.logs import PipelineLogsService
from engine.backends.vertex.problems import WAIT
from engine.backends.vertex.record import Submission, Submissions, new_submission
from engine.backends.vertex.rounds import Place, Seen, look_around, place_of
from engine.backends.vertex.storage import Storage
from engine.backends.vertex.submitting import Submitter
from engine.backends.vertex.target import owned, target_of
from engine.errors import EngineError, EnvironmentNotReady
from engine.spec import ExperimentSpec
from engine.spec.cloud import CloudTarget
from engine.spec.run_folder import ArtifactName, ComponentName, RunError
from engine.workspace import Workspace

_log = logging.getLogger(__name__)

_THREADS = 8
_STALE_SECONDS = 60.0
"""How long what is known of a running job is believed although its list entry hasn't changed."""
_REMEMBERED = 500
"""Of how many runs that nobody asks for in a round the last look is kept."""


class _Known:
    """What the last look at a run has found."""

    def __init__(self, stamp: Stamp | None, job: PipelineJob, looked_at: float) -> None:
        self.stamp = stamp
        self.job = job
        self.looked_at = looked_at


class CloudRuns:
    """See the module.

    Args:
        submissions: what is known here.
        workspace: whose runs; where others would run now is looked up when it is needed.
        patience: how long to wait for Google.
    """

    def __init__(self, submissions: Submissions, workspace: Workspace, patience: Patience) -> None:
        self._submissions = submissions
        self._workspace = workspace
        self._patience = patience
        self._clients: dict[str, Clients] = {}
        self._logs: dict[str, PipelineLogsService] = {}
        self._known: dict[str, _Known] = {}
        self._round: dict[str, RunStatus | EngineError] = {}
        self._asked_to_end: set[str] = set()  # whose end the round has asked for
        self._lock = threading.RLock()
        self._submitter = Submitter(submissions, lambda submission: self.clients(submission.target))

    def clients(self, target: CloudTarget) -> Clients:
        """Return the clients for a target, made once."""
        key = target.content_hash()
        with self._lock:
            if key not in self._clients:
                self._clients[key] = Clients(
                    target, self._workspace.cloud.endpoints, self._patience
                )
            return self._clients[key]

    def ensure_submitted(self, spec: ExperimentSpec) -> None:
        """Go on with a submission unless its build or its job is there.

        Raises:
            EnvironmentNotReady: it can't be gone on with now.
        """
        submission = self._submissions.read(spec.uid)
        if submission is None or submission.cancel_requested or submission.failure:
            return
        if submission.job_seen or submission.build_id:
            return
        self._submitter.ensure(spec)

    def begin_round(self, uids: Collection[str], watched: Collection[str]) -> None:
        """Look at many runs: the lists of each place, then what changed, in several threads."""
        self._round, self._asked_to_end = {}, set()
        submissions = {uid: s for uid in uids if (s := self._submissions.read(uid)) is not None}
        places: dict[Place, dict[str, Submission]] = {}
        for uid, submission in submissions.items():
            places.setdefault(place_of(submission.target), {})[uid] = submission
        for found in places.values():
            self._look_at_place(found, frozenset(watched))
        others = [uid for uid in self._known if uid not in submissions]
        for uid in others[:-_REMEMBERED]:
            del self._known[uid]

    def _look_at_place(self, found: Mapping[str, Submission], watched: frozenset[str]) -> None:
        building = [s for uid, s in found.items() if self._may_have_build_only(uid, s)]
        clients = self.clients(next(iter(found.values())).target)
        try:
            seen = look_around(clients, found.values(), building)
        except EngineError as error:
            self._round.update(dict.fromkeys(found, error))
            return
        deadline = time.monotonic() + self._patience.round
        with ThreadPoolExecutor(_THREADS) as pool:
            looks = {
                uid: pool.submit(self._look_within, deadline, uid, submission, seen, uid in watched)
                for uid, submission in found.items()
            }
        self._round.update({uid: look.result() for uid, look in looks.items()})

    def _may_have_build_only(self, uid: str, submission: Submission) -> bool:
        if submission.job_seen or submission.failure or submission.compile != "cloud-build":
            return False
        return self._submitter.step(uid) is None

    def _look_within(
        self, deadline: float, uid: str, submission: Submission, seen: Seen, watched: bool
    ) -> RunStatus | EngineError:
        """Look at a run; what goes wrong with one must not keep the others from being looked at."""
        if time.monotonic() > deadline:
            return EnvironmentNotReady("Google Cloud answers too slowly now.", hint=WAIT)
        try:
            status = self._look_listed(uid, submission, seen, watched)
            return self._heeded(uid, submission, status, again=False)
        except EngineError as error:
            return error
        except OSError as error:
            message = f"What the run has written can't be stored here: {error}"
            return EnvironmentNotReady(message, hint="Is there space on the disk?")
        except Exception as error:  # noqa: BLE001 - told of this run, with where it happened
            _log.exception("the run %s could not be looked at", uid)
            return EnvironmentNotReady(f"The run could not be looked at: {error}", hint=WAIT)

    def _look_listed(
        self, uid: str, submission: Submission, seen: Seen, watched: bool
    ) -> RunStatus:
        listed = seen.jobs.get(submission.job_id)
        if listed is None:
            if submission.job_seen:  # the list may leave it out
                return self._seen(uid, submission)
            builds = submission.compile == "cloud-build" and submission.failure is None
            if builds and submission.build_tag not in seen.looked_for:
                # It was being submitted; its build may have come since the lists were made.
                return RunStatus(phase="starting", step=self._submitter.step(uid))
            return self._before_job(uid, submission, partial(seen.builds_of, submission))
        known = self._known.get(uid)
        fresh = known is not None and time.monotonic() - known.looked_at < _STALE_SECONDS
        if known is None or known.stamp != listed.stamp or watched or not fresh:
            return self._seen(uid, submission, listed.stamp)
        return self._status_of(uid, submission, known.job, live=False)

    def status(self, uid: str) -> RunStatus:
        """Return what the round has found, once; else look.

        Raises:
            EnvironmentNotReady: Google doesn't answer.
        """
        found = self._round.pop(uid, None)
        if isinstance(found, EngineError):
            raise found
        if found is not None:
            return found
        submission = self._submissions.read(uid) or self._adopted(uid)
        return RunStatus(phase="absent") if submission is None else self._look(uid, submission)

    def _adopted(self, uid: str) -> Submission | None:
        """Claim a run whose job is there but of which nothing is known here any more."""
        cloud = self._workspace.cloud
        if cloud.missing:
            return None
        target = owned(target_of(cloud), self._workspace.id)
        submission = new_submission(uid, target, cloud.compile, datetime.now(UTC))
        job = Jobs(self.clients(target)).get(submission.job_name)
        if job is None:
            return None
        created = job_states.utc(job.create_time)
        submission = submission.replace(submitted_at=created, job_seen=True)
        self._submissions.claim(uid, submission, None)
        return self._submissions.read(uid)

    def _look(self, uid: str, submission: Submission) -> RunStatus:
        status = self._seen(uid, submission)
        return self._heeded(uid, submission, status, again=True)

    def _heeded(
        self, uid: str, submission: Submission, status: RunStatus, *, again: bool
    ) -> RunStatus:
        """Return a status, and ask for the end of what came to be after somebody asked for it.

        Args:
            uid: of the run.
            submission: of the run.
            status: of the run.
            again: whether the next request for its end is carried out, too.
        """
        if submission.cancel_requested and status.phase in ("starting", "running"):
            self._end(uid)
            if not again:
                self._asked_to_end.add(uid)
        return status

    def _seen(self, uid: str, submission: Submission, stamp: Stamp | None = None) -> RunStatus:
        clients = self.clients(submission.target)
        job = Jobs(clients).get(submission.job_name)
        if job is not None:
            return self._of_job(uid, submission, job, stamp)
        self._known.pop(uid, None)
        return self._before_job(
            uid, submission, partial(Builds(clients).find, submission.build_tag)
        )

    def _of_job(
        self, uid: str, submission: Submission, job: PipelineJob, stamp: Stamp | None
    ) -> RunStatus:
        self._known.pop(uid, None)  # the newest look is the last one
        self._known[uid] = _Known(stamp, job, time.monotonic())
        if not submission.job_seen:
            submission = self._submissions.change(uid, job_seen=True) or submission
        return self._status_of(uid, submission, job, live=True)

    def _status_of(
        self, uid: str, submission: Submission, job: PipelineJob, *, live: bool
    ) -> RunStatus:
        status = job_states.status_of(job).replace(build_id=submission.build_id)
        storage = Storage(self.clients(submission.target))
        if status.phase == "running":
            return self._running(uid, status, storage, live=live)
        if status.phase in ("completed", "failed", "cancelled"):
            self._sweep(uid, submission)
            mirror.fetch(storage, self._submissions, uid, mirror.FINAL)
        if status.phase == "failed":
            return status.replace(error=self._error(submission, job))
        return status

    def _running(self, uid: str, status: RunStatus, storage: Storage, *, live: bool) -> RunStatus:
        trains = any(c.name == "Train" and c.status == "running" for c in status.components)
        if not trains:
            return status
        if live:
            mirror.fetch(storage, self._submissions, uid, mirror.LIVE)
        return status.replace(progress=read_progress(self._submissions.folder(uid)))

    def _sweep(self, uid: str, submission: Submission) -> None:
        """Cancel the Dataflow jobs that a component had just started when its end was asked for."""
        if submission.cancel_requested and not submission.swept:
            Dataflow(self.clients(submission.target)).cancel_of(submission.job_id)
            self._submissions.change(uid, swept=True)

    def _error(self, submission: Submission, job: PipelineJob) -> RunError:
        component = job_states.failed_component(job)
        cause = self._logs_of(submission).cause(job, component) if component else None
        return RunError(
            component=component,
            message=cause or job_states.error_message(job, component),
            hint="The component's log has more.",
        )

    def _before_job(
        self, uid: str, submission: Submission, find: Callable[[], Sequence[Build]]
    ) -> RunStatus:
        """Return where a run is whose pipeline job isn't there; `find` tells of its builds."""
        step = self._submitter.step(uid)
        if step is not None:
            return RunStatus(phase="starting", step=step)
        if submission.failure is not None:
            return RunStatus(phase="failed", error=submission.failure)
        if submission.job_seen:
            self._sweep(uid, submission)
            return RunStatus(phase="vanished", build_id=submission.build_id)
        if submission.compile == "cloud-build":
            found = find() or self._builds_left_out(submission)
            if found:
                return self._of_builds(uid, submission, found)
        if submission.cancel_requested:
            return self._unless_job(uid, submission, RunStatus(phase="cancelled"))
        return RunStatus(phase="absent" if self._submitter.has_failed(uid) else "starting")

    def _builds_left_out(self, submission: Submission) -> Sequence[Build]:
        if submission.build_id is None:
            return ()
        build = Builds(self.clients(submission.target)).get(submission.build_id)
        return () if build is None else (build,)

    def _of_builds(self, uid: str, submission: Submission, found: Sequence[Build]) -> RunStatus:
        build = found[0]
        if build.id != submission.build_id:
            self._submissions.change(uid, build_id=build.id)
        at = RunStatus(phase="starting", build_id=build.id)
        if any(b.status in build_states.QUEUED for b in found):
            return at.replace(step="Build queued")
        if any(build_states.goes_on(b) for b in found):
            return at.replace(step="Compiling")
        if submission.cancel_requested or build.status == build_states.Status.CANCELLED:
            verdict = at.replace(phase="cancelled")
        elif build.status == build_states.Status.SUCCESS:
            verdict = at.replace(phase="vanished")
        else:
            error = RunError(
                message=build_states.reason(build),
                hint=f"The build's log has more: {build.log_url}",
            )
            verdict = at.replace(phase="failed", error=error)
        return self._unless_job(uid, submission, verdict)

    def _unless_job(self, uid: str, submission: Submission, verdict: RunStatus) -> RunStatus:
        """Return a verdict unless there is a job after all, made since the look at it.

        A build that failed or was cancelled may have made one before.
        """
        job = Jobs(self.clients(submission.target)).get(submission.job_name)
        return verdict if job is None else self._of_job(uid, submission, job, None)

    def cancel(self, uid: str) -> None:
        """Ask for the end of whatever there is of a run, unless this round has done so.

        Raises:
            EnvironmentNotReady: Google doesn't answer; the request stands.
        """
        if uid in self._asked_to_end:
            self._asked_to_end.discard(uid)
            return
        self._end(uid)

    def _end(self, uid: str) -> None:
        submission = self._submissions.change(uid, cancel_requested=True)
        if submission is None:
            return
        self._submitter.stop(uid)
        clients = self.clients(submission.target)
        job = Jobs(clients).get(submission.job_name)
        if job is not None:
            if job_states.can_be_cancelled(job):
                Jobs(clients).cancel(submission.job_name)
                Dataflow(clients).cancel_of(submission.job_id)
            return
        if submission.compile == "cloud-build":
            builds = Builds(clients)
            for build in builds.find(submission.build_tag):
                if build_states.goes_on(build):
                    builds.cancel(build.id)

    def delete(self, uid: str, *, shared: Collection[str], unused: Collection[str]) -> None:
        """Remove a run from Google Cloud; see `Backend.delete`.

        Raises:
            EnvironmentNotReady: Google doesn't answer; it may be repeated.
        """
        submission = self._submissions.read(uid)
        if submission is None:
            return
        clients = self.clients(submission.target)
        delete_run(clients, uid, submission, shared=frozenset(shared), unused=frozenset(unused))
        self._known.pop(uid, None)

    def fetch_logs(self, uid: str, component: ComponentName) -> None:
        """Bring the log of a component to the run folder.

        Raises:
            EnvironmentNotReady: Cloud Logging doesn't answer.
        """
        submission = self._submissions.read(uid)
        job = self._job(uid, submission)
        if submission is not None and job is not None:
            entries = self._logs_of(submission).get_component_logs(job, component)
            mirror.write_logs(self._submissions.folder(uid), component, entries)

    def fetch_artifact(self, uid: str, name: ArtifactName) -> None:
        """Bring a large file to the run folder, where there is one.

        Raises:
            EnvironmentNotReady: Google doesn't answer.
        """
        submission = self._submissions.read(uid)
        job = self._job(uid, submission)
        if submission is None or job is None:
            return
        of = partial(job_states.output_uri, job)
        found = {"statistics": of("Stats", "statistics"), "schema": of("Schema", "schema")}
        outputs = {key: uri for key, uri in found.items() if uri}
        uri = mirror.artifact_uri(submission, uid, name, outputs)
        if uri is not None:
            storage = Storage(self.clients(submission.target))
            mirror.fetch_artifact(storage, self._submissions.folder(uid), name, uri)

    def _job(self, uid: str, submission: Submission | None) -> PipelineJob | None:
        """Return the job of a run: what is known of it if it has ended, else as it is now."""
        if submission is None:
            return None
        known = self._known.get(uid)
        if known is not None and job_states.status_of(known.job).phase in ("completed", "failed"):
            return known.job
        return Jobs(self.clients(submission.target)).get(submission.job_name)

    def _logs_of(self, submission: Submission) -> PipelineLogsService:
        key = submission.target.project
        with self._lock:
            if key not in self._logs:
                self._logs[key] = PipelineLogsService(self.clients(submission.target))
            return self._logs[key]
