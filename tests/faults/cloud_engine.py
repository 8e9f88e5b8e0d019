"""An engine in this process whose experiments run on the test servers, moved on tick by tick."""

from collections.abc import Callable

from engine.backends.base import Backend
from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.clients import Patience
from engine.experiments import ExperimentService
from engine.lease import Lease
from engine.remote_loop import RemoteLoop
from engine.scheduling import Scheduler
from engine.store import Database, experiments, open_database
from engine.store.experiments import Tracked
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner, plan_of
from tests.faults.standin import Behaviour
from tests.faults.waiting import wait_for

IMPATIENT = Patience(call=2.0, retries=4.0, pause=0.01)
TICK_SECONDS = 6.0
"""By the engine's clock; longer than what has failed is left alone."""


class CloudEngine:
    """What the worker does for runs on Google Cloud, without its process.

    Attributes:
        now: the engine's clock, in seconds; only ticks and tests move it.
        behaviour: of the runs that are created next.
    """

    def __init__(self, workspace: Workspace, patience: Patience = IMPATIENT) -> None:
        self.now = 0.0
        self.workspace = workspace
        self.behaviour = Behaviour(seconds=0.2)
        self.database: Database = open_database(workspace.database_url)
        self.backend = VertexBackend(workspace, patience)
        self.backend.poll_seconds = 0.0
        planner = _Planner(self)
        self.service = ExperimentService(
            self.database,
            {"vertex": self.backend},
            planner,
            workspace.cache,
            clock=lambda: self.now,
        )
        self.scheduler = Scheduler(
            self.database, {"vertex": self.backend}, self.service, lambda: self.now
        )

    def remote_loop(
        self, lease: Lease, on_end: Callable[[], None], backend: Backend | None = None
    ) -> RemoteLoop:
        """Return the worker's thread for these experiments, by the real clock."""
        backends: dict[str, Backend] = {"vertex": backend or self.backend}
        cache = self.workspace.cache
        service = ExperimentService(self.database, backends, SamplePlanner(), cache, lease)
        scheduler = Scheduler(self.database, backends, service)
        return RemoteLoop(
            self.database, backends, scheduler, lease, look_seconds=0.1, on_end=on_end
        )

    def create(self, behaviour: Behaviour | None = None) -> int:
        """Store an experiment, and return its number."""
        self.behaviour = behaviour or self.behaviour
        return self.service.create_quick_test(REQUEST.replace(backend="vertex"))

    def tick(self) -> int:
        """Look at everything once; return how many experiments have work left."""
        self.now += TICK_SECONDS
        return self.scheduler.tick()

    def see(self, number: int) -> Tracked:
        """Return what is stored of an experiment."""
        with self.database.read() as session:
            return experiments.track(session, number)

    def tick_until(self, number: int, *statuses: str, seconds: float = 20) -> Tracked:
        """Tick until an experiment is in one of these statuses."""

        def reached() -> Tracked | None:
            self.tick()
            seen = self.see(number)
            return seen if seen.status in statuses else None

        found = wait_for(reached, seconds=seconds, what=f"#{number} {' or '.join(statuses)}")
        assert found is not None
        return found

    def tick_until_told(self, number: int, words: str = "", *, seconds: float = 20) -> Tracked:
        """Tick until somebody who looks at an experiment is told of trouble in these words."""

        def heard() -> Tracked | None:
            self.tick()
            seen = self.see(number)
            told = seen.error_message
            return seen if told is not None and words in told else None

        found = wait_for(heard, seconds=seconds, what=f"the trouble of #{number}: {words}")
        assert found is not None
        return found

    def settle(self, *, seconds: float = 60) -> None:
        """Tick until nothing has work left."""
        wait_for(lambda: self.tick() == 0, seconds=seconds, what="the end of all experiments")


class _Planner(SamplePlanner):
    def __init__(self, engine: CloudEngine) -> None:
        super().__init__()
        self._engine = engine

    def plan(self, request):
        plan = plan_of(request)
        examples = plan.examples.replace(dialect="bigquery")
        described = self._engine.behaviour.model_dump_json()
        return plan.replace(examples=examples, model=plan.model.replace(description=described))
