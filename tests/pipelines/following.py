"""Following a run of the local backend to its end, as the worker does."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from engine.backends.base import RunStatus
from engine.backends.local import LocalBackend
from engine.spec import ExperimentSpec
from engine.workspace import Workspace
from tests.contracts.backend_contract import ENDED
from tests.faults.waiting import wait_for


@dataclass
class Run:
    """A run, followed to its end."""

    spec: ExperimentSpec
    submitted_at: datetime
    looks: list[RunStatus] = field(default_factory=list)

    @property
    def end(self) -> RunStatus:
        return self.looks[-1]

    @property
    def cached(self) -> list[bool]:
        return [component.cached for component in self.end.components]

    def seconds_to(self, component: str) -> float:
        """From submission to the start of a component."""
        [state] = [state for state in self.end.components if state.name == component]
        assert state.started_at is not None
        return (state.started_at - self.submitted_at).total_seconds()


def follow(workspace: Workspace, spec: ExperimentSpec) -> Run:
    """Submit a run as the worker does and look at it until it ends."""
    backend = LocalBackend(workspace)
    run = Run(spec, datetime.now(UTC))
    backend.submit(spec)

    def ended() -> bool:
        if not run.looks or run.looks[-1].phase == "starting":
            backend.submit(spec)
        run.looks.append(backend.status(spec.uid))
        return run.end.phase in ENDED

    wait_for(ended, seconds=240)
    assert run.end.phase == "completed", (
        workspace.run_folder(spec.uid) / "logs/run.log"
    ).read_text()
    return run
