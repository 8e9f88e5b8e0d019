"""`VertexBackend`: the same runs on Google Cloud.

Cloud Build (or a process here) compiles an experiment and creates its pipeline job, whose id is
ours; Vertex AI runs it. The run folder here holds the claim and mirrors what the Trainer writes, so
that whoever reads a run needs neither Google's libraries nor a network.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from engine.backends.base import RunStatus
from engine.backends.launching import remove_folder
from engine.backends.run_reading import (
    component_of,
    flaw,
    read_artifact,
    read_epochs,
    read_logs,
    read_metrics,
)
from engine.backends.vertex.record import Submissions, new_submission
from engine.backends.vertex.target import owned, target_of
from engine.errors import EnvironmentNotReady, NotAllowed
from engine.spec import ExperimentSpec
from engine.spec.run_folder import ArtifactName, EpochRecord, LogEntry, TrainerFile, TrainingMetrics
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.backends.vertex.clients import Patience
    from engine.backends.vertex.runs import CloudRuns


class VertexBackend:
    """Runs experiments on Vertex AI.

    Args:
        workspace: whose experiments; `[cloud]` of its settings says where they run.
        patience: how long to wait for Google; the usual when None.
    """

    name = "vertex"
    remote = True

    def __init__(self, workspace: Workspace, patience: "Patience | None" = None) -> None:
        self._workspace = workspace
        self._patience = patience
        self._submissions = Submissions(workspace.runs)
        self.poll_seconds = workspace.settings.worker.poll_seconds

    @property
    def capacity(self) -> int:
        """How many experiments may be submitted or running at once, as the settings are now."""
        return self._workspace.cloud.max_running

    @cached_property
    def runs(self) -> "CloudRuns":
        """What talks to Google: importing its libraries takes seconds."""
        from engine.backends.vertex.clients import Patience
        from engine.backends.vertex.runs import CloudRuns

        return CloudRuns(self._submissions, self._workspace, self._patience or Patience())

    def check_ready(self) -> None:
        """Return when the settings say where experiments run; nothing is asked of Google.

        Raises:
            EnvironmentNotReady: a setting is missing.
        """
        target_of(self._workspace.cloud)

    def begin_round(self, uids: Collection[str], watched: Collection[str]) -> None:
        """List builds and pipeline jobs once, and look at what changed or is watched."""
        self.runs.begin_round(uids, watched)

    def submit(self, spec: ExperimentSpec) -> None:
        """Claim the run and see to it that its pipeline job gets made; returns within seconds.

        Raises:
            EnvironmentNotReady: it can't be now; it is gone on with at the next call.
        """
        cloud, now = self._workspace.cloud, datetime.now(UTC)
        target = owned(target_of(cloud), self._workspace.id)
        submission = new_submission(spec.uid, target, cloud.compile, now, attempt=spec.attempt)
        try:
            self._submissions.claim(spec.uid, submission, spec)
        except OSError as error:
            raise EnvironmentNotReady(
                f"The run folder {self._submissions.folder(spec.uid)} could not be written:"
                f" {error.strerror}.",
                hint="Free space, for example with `towerlab gc`.",
            ) from error
        self.runs.ensure_submitted(spec)

    def status(self, uid: str) -> RunStatus:
        """Look at a run.

        Raises:
            EnvironmentNotReady: Google doesn't answer; nothing is known.
        """
        return self.runs.status(uid)

    def cancel(self, uid: str) -> None:
        """Ask the build or the pipeline job to end, and the Dataflow jobs that it started.

        Raises:
            EnvironmentNotReady: Google doesn't answer; the request stands and is repeated.
        """
        self.runs.cancel(uid)

    def delete(
        self, uid: str, *, shared: Collection[str] = (), unused: Collection[str] = ()
    ) -> None:
        """Remove the pipeline job, what it wrote to Cloud Storage, and the run folder here.

        Raises:
            NotAllowed: something of the run still lives.
            EnvironmentNotReady: Google doesn't answer; it may be repeated.
        """
        if self.status(uid).phase in ("starting", "running"):
            raise NotAllowed(f"The run {uid} is still going.", hint="Cancel it first.")
        self.runs.delete(uid, shared=shared, unused=unused)
        remove_folder(self._submissions.folder(uid))

    def metrics(self, uid: str) -> TrainingMetrics | None:
        """Return the final metrics that the last look has brought, or None."""
        return read_metrics(self._submissions.folder(uid))

    def flaw(self, uid: str, name: TrainerFile) -> str | None:
        """Return why a file that the Trainer wrote isn't believed; None where it is, or is none."""
        return flaw(self._submissions.folder(uid), name)

    def epochs(self, uid: str) -> list[EpochRecord]:
        """Return the epochs that the last look has brought, oldest first."""
        return read_epochs(self._submissions.folder(uid))

    def logs(self, uid: str, component: str, *, limit: int = 50) -> list[LogEntry]:
        """Return the newest entries of a component's log, newest first.

        Raises:
            NotFound: there is no such component.
            EnvironmentNotReady: Cloud Logging doesn't answer.
        """
        name = component_of(component)
        self.runs.fetch_logs(uid, name)
        return read_logs(self._submissions.folder(uid), name, limit)

    def artifact(self, uid: str, name: ArtifactName) -> bytes | None:
        """Return a file's content; None where there is none, or it is too large.

        Raises:
            NotFound: files of this name are not given out.
            EnvironmentNotReady: Google doesn't answer.
        """
        found = read_artifact(self._submissions.folder(uid), name)
        if found is None:
            self.runs.fetch_artifact(uid, name)
            found = read_artifact(self._submissions.folder(uid), name)
        return found

    def artifacts_uri(self, uid: str) -> str:
        """Return the gs:// prefix of what the run owns."""
        submission = self._submissions.read(uid)
        target = submission.target if submission else target_of(self._workspace.cloud)
        return target.run_uri(uid)
