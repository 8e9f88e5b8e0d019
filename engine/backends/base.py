"""`Backend`: what the worker asks of a place that runs experiments.

Implementations must pass `tests/contracts/backend_contract.py`. All methods are called from one
worker thread, may be repeated safely, and never hold a database transaction open.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Literal, Protocol

from engine.spec import ExperimentSpec, Frozen
from engine.spec.run_folder import (
    ArtifactName,
    ComponentState,
    EpochRecord,
    LogEntry,
    Progress,
    RunError,
    TrainerFile,
    TrainingMetrics,
)

Phase = Literal["absent", "starting", "running", "completed", "failed", "cancelled", "vanished"]


class RunStatus(Frozen):
    """One look at a run.

    Attributes:
        phase: `absent`: never submitted; `starting`: submitted, nothing runs yet; `vanished`:
            it had started, nothing of it lives, and it left no verdict.
        components: all five in pipeline order, once known.
        progress: of the Trainer, while it runs.
        error: set when `failed`.
        step: what goes on before a component starts, as "Build queued"; None elsewhere.
        build_id: of the newest build; None but on Google Cloud.
        job_name: resource name of the pipeline job; None but on Google Cloud.
    """

    phase: Phase
    components: tuple[ComponentState, ...] = ()
    progress: Progress | None = None
    error: RunError | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    step: str | None = None
    build_id: str | None = None
    job_name: str | None = None


class Backend(Protocol):
    """A place that runs experiments."""

    name: str
    poll_seconds: float
    """How long to wait between two looks at a running experiment."""
    remote: bool
    """Whether runs are elsewhere: calls take long and fail with the network. Then only the worker
    calls what isn't `check_ready`; others read what it has fetched into the run folder."""

    @property
    def capacity(self) -> int:
        """How many experiments may be starting or running at once."""
        ...

    def check_ready(self) -> None:
        """Return when experiments can be submitted here.

        Raises:
            EnvironmentNotReady: something is missing; the hint says what to run.
        """
        ...

    def begin_round(self, uids: Collection[str], watched: Collection[str]) -> None:
        """Ask at once for what can be asked for at once: `status` of each uid comes next.

        Args:
            uids: the runs that will be looked at.
            watched: those that somebody is looking at right now.
        """
        ...

    def submit(self, spec: ExperimentSpec) -> None:
        """Start the run unless this uid was submitted before; then only make sure that it starts.

        Raises:
            EnvironmentNotReady: nothing was started (disk full, no permission, no `[local]`).
        """
        ...

    def status(self, uid: str) -> RunStatus:
        """Look at a run."""
        ...

    def cancel(self, uid: str) -> None:
        """Ask the run to end; it ends `cancelled` unless it finishes first. Returns at once."""
        ...

    def delete(
        self, uid: str, *, shared: Collection[str] = (), unused: Collection[str] = ()
    ) -> None:
        """Remove what the run owns. Only called when nothing of it lives; absence is success.

        Args:
            uid: of the run.
            shared: folders of its outputs that other results rest on; they stay.
            unused: folders of other runs' outputs that nothing rests on once this run is gone.
        """
        ...

    def metrics(self, uid: str) -> TrainingMetrics | None:
        """Return the final metrics, or None where there are none (yet) or they aren't believed."""
        ...

    def flaw(self, uid: str, name: TrainerFile) -> str | None:
        """Return why a file that the Trainer wrote isn't believed, as a sentence.

        None where it is believed, or isn't there.
        """
        ...

    def epochs(self, uid: str) -> list[EpochRecord]:
        """Return the epochs trained so far, oldest first; a half-written last line is left out."""
        ...

    def logs(self, uid: str, component: str, *, limit: int = 50) -> list[LogEntry]:
        """Return the newest entries of a component's log, newest first."""
        ...

    def artifact(self, uid: str, name: ArtifactName) -> bytes | None:
        """Return the content of one of the run's files.

        None where there is none (yet), or it is larger than such a file can be. The content is
        foreign: whoever parses it must expect anything.

        Raises:
            NotFound: files of this name are not given out.
        """
        ...

    def artifacts_uri(self, uid: str) -> str:
        """Where the run's artifacts are."""
        ...
