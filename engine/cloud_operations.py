"""The operations of `Engine` between a plan and its start: what it moves, and promoting."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from engine.planning import Plan, QuickTestRequest
from engine.promote import Promotion, Transfer, changes_for, doubts_about, transfer_of

if TYPE_CHECKING:
    from engine.bigquery.facts import Reading
    from engine.definitions import Definitions
    from engine.experiments import ExperimentService
    from engine.snapshots import ExperimentDetail
    from engine.workspace import Workspace


class CloudOperations(ABC):
    """How `Engine` starts a plan, what it tells before, and how a local run becomes one there."""

    workspace: "Workspace"
    _experiments: "ExperimentService"

    @abstractmethod
    def get(self, number: int) -> "ExperimentDetail":
        """Return everything about one experiment."""

    @abstractmethod
    def plan(self, request: QuickTestRequest) -> Plan:
        """Check a request and resolve its defaults."""

    @abstractmethod
    def _detail(self, number: int) -> "ExperimentDetail":
        """Return everything about one experiment, without looking after it."""

    @abstractmethod
    def _wake_worker(self) -> None:
        """Have a worker look at what is new."""

    @abstractmethod
    def definitions(self) -> "Definitions":
        """Return the definitions of the workspace."""

    def check_ready(self, backend: str) -> None:
        """Return when experiments can be submitted to a backend; asks no network.

        Raises:
            EnvironmentNotReady: something is missing; the hint says what to run.
        """
        self._experiments.check_ready(backend)

    def start(self, plan: Plan, *, parent: int | None = None) -> "ExperimentDetail":
        """Store a plan as an experiment that the worker submits.

        Args:
            plan: from `plan`; the data that it has looked at isn't looked at again.
            parent: the experiment that is run again.

        Raises:
            EnvironmentNotReady: the backend cannot run anything.
        """
        number = self._experiments.start_planned(plan, parent=parent)
        self._wake_worker()
        return self._detail(number)

    def transfer(self, plan: Plan) -> Transfer | None:
        """Return what a plan moves before it trains; None where it runs on this machine.

        Takes seconds: BigQuery is asked, or some rows are written to see their size.

        Raises:
            InvalidInput: a table is missing, or the data has changed since the plan.
        """
        if plan.request.backend != "vertex":
            return None
        return transfer_of(plan, self.workspace.cloud)

    def promotion(self, number: int) -> Promotion:
        """Return what promoting an experiment means; nothing is stored.

        Takes seconds, as `transfer`.

        Raises:
            NotFound: there is none with this number.
            NotAllowed: it has not ended, or ran so already.
            InvalidInput: the data is wrong.
            EnvironmentNotReady: the settings don't say where in the cloud.
        """
        seen = self.get(number)
        plan = self._experiments.plan_rerun(number, changes_for(seen))
        return Promotion(
            number=number,
            plan=plan,
            transfer=transfer_of(plan, self.workspace.cloud),
            doubts=tuple(doubts_about(seen)),
        )

    def promote(self, promotion: Promotion) -> "ExperimentDetail":
        """Store a new experiment: an earlier one on all rows, on Vertex AI, as it was told.

        Raises:
            EnvironmentNotReady: the settings don't say where in the cloud.
        """
        return self.start(promotion.plan, parent=promotion.number)

    def dataset_reading(self, name: str) -> "Reading | None":
        """Return a dataset's tables in BigQuery, and what reading its rows once would read.

        None where it has no BigQuery source.

        Raises:
            NotFound: a name that isn't defined.
            InvalidInput: the definition or the data is wrong, or a table is missing.
            EnvironmentNotReady: BigQuery can't be asked now.
        """
        from engine.bigquery.asking import ask_reading
        from engine.datasets import dataset_sql
        from engine.spec import Split

        found = self.definitions()
        source = found.dataset(name).bigquery
        if source is None:
            return None
        root = self.workspace.root
        sql = dataset_sql(name, found, root, dialect="bigquery", part=None, split=Split())
        cloud = self.workspace.cloud
        return ask_reading([sql], cloud, cloud.project or source.project)
