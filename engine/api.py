"""`Engine`: every operation of Towerlab, the only door for the command line and the app.

Reads return frozen snapshots. Writes are intents: they are committed and the worker, started when
none lives, carries them out. So nothing here waits for a run or a network, and a process that ends
loses nothing. Instances may be shared between threads.

Every method may raise `EnvironmentNotReady` when the database cannot be read or written.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy.orm import selectinload

from engine.backends.base import Backend
from engine.backends.registry import open_backends, unavailable
from engine.cards import CardPage, FilterChoices
from engine.cloud_operations import CloudOperations
from engine.collect import collect
from engine.comparisons import ComparisonService
from engine.errors import EnvironmentNotReady, NotFound
from engine.experiments import ExperimentService, Planner
from engine.insights import InsightService
from engine.logs import component_logs
from engine.planning import Plan, QuickTestRequest
from engine.run_files import RunFiles
from engine.snapshots import (
    ExperimentDetail,
    ExperimentPage,
    GarbageReport,
    LogLine,
    TrainingHistory,
    WorkerStatus,
)
from engine.spec import ModelType
from engine.spec.run_folder import Histograms, TrainingMetrics
from engine.states import Status
from engine.statistics import DatasetStatistics
from engine.store import documents, experiments, open_database, overview, views
from engine.store.insertion import WARNINGS
from engine.store.models import ExperimentRow
from engine.store.search import ExperimentFilter, page, position
from engine.store.search import cards as search_cards
from engine.store.timing import remaining
from engine.training_cache import TrainingCacheService
from engine.worker_process import WorkerProcess
from engine.workspace import Workspace
from engine.workspace_planner import WorkspacePlanner

if TYPE_CHECKING:
    from engine.analysis.comparison import Comparison
    from engine.definitions import Definitions
    from engine.previews import FeaturesPreview, ModelPreview
    from engine.query.summary import DatasetSummary
    from engine.query.types import Dialect
    from engine.spec import Split, SplitName

_log = logging.getLogger(__name__)


class Engine(CloudOperations):
    """The operations on one workspace.

    Args:
        workspace: where everything lives; its folders and database are made when missing.
        start_worker: whether a worker is started when there is something to do.
        backends: where experiments run, by name; those of the workspace when None.
        planner: turns requests into plans; the one over the workspace's definitions when None.

    Raises:
        InvalidInput: the settings are wrong.
        EnvironmentNotReady: the workspace cannot be written or the database cannot be opened.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        start_worker: bool = True,
        backends: Mapping[str, Backend] | None = None,
        planner: Planner | None = None,
    ) -> None:
        workspace.prepare()
        self.workspace = workspace
        self._database = open_database(workspace.database_url)
        self._backends = open_backends(workspace) if backends is None else backends
        self._own_planner = WorkspacePlanner(workspace)
        self._planner = planner or self._own_planner
        self._experiments = ExperimentService(
            self._database, self._backends, self._planner, workspace.cache
        )
        self._training_cache = TrainingCacheService(self._database, self._backends)
        self._worker = WorkerProcess(workspace, self._database)
        self._starts_worker = start_worker
        self._files = RunFiles(
            self._database, self._backends, workspace.runs, wake=self._wake_worker
        )
        self._insights = InsightService(self._database, self._files)
        self._comparisons = ComparisonService(self._database, self._files)

    def list_experiments(
        self,
        *,
        status: Status | None = None,
        model_type: ModelType | None = None,
        dataset: str | None = None,
        feature_config: str | None = None,
        model_config: str | None = None,
        search: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> ExperimentPage:
        """Return a page of the experiments that match, newest first.

        Args:
            status: only these; likewise `model_type` and the names that follow.
            model_type: of the model config.
            dataset: name of the dataset; likewise of the configs.
            feature_config: see above.
            model_config: see above.
            search: words that name, description or tags contain, in any order; `#62` is a number.
            limit: experiments on the page.
            offset: how many matching experiments come before the page.
        """
        self._keep_worker()
        wanted = ExperimentFilter(
            status=status,
            model_type=model_type,
            dataset=dataset,
            feature_config=feature_config,
            model_config=model_config,
            search=search,
        )
        with self._database.read() as session:
            return page(session, wanted, limit=limit, offset=offset)

    def cards(
        self,
        *,
        status: Status | None = None,
        model_type: ModelType | None = None,
        dataset: str | None = None,
        feature_config: str | None = None,
        model_config: str | None = None,
        search: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> CardPage:
        """Return a page as `list_experiments` does, of cards: less of each, and much faster."""
        wanted = ExperimentFilter(status, model_type, dataset, feature_config, model_config, search)
        with self._database.read() as session:
            found = search_cards(session, wanted, limit=limit, offset=offset)
            running = [card.number for card in found.items if card.status == "running"]
            if not running:
                return found
            estimates = remaining(session, running, datetime.now(UTC))
        items = (replace(c, remaining_seconds=estimates.get(c.number)) for c in found.items)
        return replace(found, items=tuple(items))

    def position(
        self,
        number: int,
        *,
        status: Status | None = None,
        model_type: ModelType | None = None,
        dataset: str | None = None,
        feature_config: str | None = None,
        model_config: str | None = None,
        search: str = "",
    ) -> int | None:
        """Return how many matching experiments come before one, newest first.

        None when there is none with this number, or it doesn't match.
        """
        wanted = ExperimentFilter(status, model_type, dataset, feature_config, model_config, search)
        with self._database.read() as session:
            return position(session, wanted, number)

    def status_counts(self) -> Mapping[Status, int]:
        """Return how many experiments have each status; every status is a key."""
        with self._database.read() as session:
            return overview.status_counts(session)

    def filter_choices(self) -> FilterChoices:
        """Return the names of datasets, feature configs and model configs that experiments have."""
        with self._database.read() as session:
            return overview.filter_choices(session)

    def change_token(self) -> int:
        """Return a number that differs whenever anybody changed the database; from any thread."""
        return self._database.change_token()

    def get(self, number: int) -> ExperimentDetail:
        """Return everything about one experiment.

        Raises:
            NotFound: there is none with this number.
        """
        self._keep_worker()
        found = self._detail(number)
        if not found.ended:
            self._files.watch(number, found.backend)
        return found

    def unavailable_backends(self) -> Mapping[str, str]:
        """Return why experiments can't run somewhere, by the backend's name; asks no network."""
        return unavailable(self._backends)

    def plan(self, request: QuickTestRequest) -> Plan:
        """Check a request and resolve its defaults; nothing is stored.

        Raises:
            InvalidInput: a definition, a parameter or the data is wrong.
        """
        return self._planner.plan(request)

    def create(self, request: QuickTestRequest) -> ExperimentDetail:
        """Check a request and store it as an experiment that the worker submits.

        Raises:
            InvalidInput: a definition, a parameter or the data is wrong.
            EnvironmentNotReady: the backend cannot run anything.
        """
        number = self._experiments.create_quick_test(request)
        self._wake_worker()
        return self._detail(number)

    def rerun(self, number: int, changes: Mapping[str, str] | None = None) -> ExperimentDetail:
        """Store a new experiment with the definitions of one that has ended.

        Args:
            number: the parent.
            changes: request fields by their command-line names, as `{"learning_rate": "0.005"}`.

        Raises:
            NotFound: there is none with this number.
            NotAllowed: it has not ended.
            InvalidInput: a change or the data is wrong.
        """
        created = self._experiments.rerun_quick_test(number, changes or {})
        self._wake_worker()
        return self._detail(created)

    def cancel(self, number: int) -> ExperimentDetail:
        """Ask an experiment to end; repeating it changes nothing.

        Raises:
            NotFound: there is none with this number.
            NotAllowed: it has ended.
        """
        self._experiments.cancel_quick_test(number)
        self._wake_worker()
        return self._detail(number)

    def delete(self, number: int) -> None:
        """Ask for an experiment and what only it owns to be removed, cancelling it first.

        It is gone when `get` raises `NotFound`.

        Raises:
            NotFound: there is none with this number.
        """
        self._experiments.delete_quick_test(number)
        self._wake_worker()

    def history(self, number: int) -> TrainingHistory | None:
        """Return the training curves so far, or None before the first epoch has ended.

        Raises:
            NotFound: there is none with this number.
        """
        return self._training_cache.get_cached_history(number)

    def selectable(
        self, *, model_type: ModelType | None = None, limit: int = 50, offset: int = 0
    ) -> ExperimentPage:
        """Return a page of the experiments that can be compared: the completed, newest first."""
        return self.list_experiments(
            status="completed", model_type=model_type, limit=limit, offset=offset
        )

    def compare(self, numbers: Sequence[int], *, baseline: int | None = None) -> "Comparison":
        """Put 2 to 4 completed experiments side by side.

        Takes about a second for runs with 50,000 test rows.

        Args:
            numbers: of the experiments, in the order of the columns.
            baseline: the one that the others are compared with; the first when None.

        Raises:
            NotFound: there is none with one of these numbers.
            NotAllowed: one of them has no result.
            InvalidInput: too few or too many, or one twice.
        """
        return self._comparisons.compare(numbers, baseline)

    def statistics(self, number: int) -> DatasetStatistics:
        """Return what was measured of an experiment's examples, and their schema.

        Raises:
            NotFound: there is none with this number, or it ended without.
            NotAllowed: it hasn't measured them yet.
            InvalidInput: the files are damaged.
        """
        return self._insights.statistics(number)

    def histograms(self, number: int) -> Histograms:
        """Return how weights and gradients were distributed, epoch by epoch.

        Raises:
            NotFound: there is none with this number, or it ended without.
            NotAllowed: its Trainer hasn't ended yet.
            InvalidInput: the file is damaged.
        """
        return self._insights.histograms(number)

    def report(self, number: int) -> str:
        """Return a page of HTML in one piece: result, curves, statistics and schema.

        Raises:
            NotFound: there is none with this number, or it has no statistics.
            NotAllowed: it has no statistics yet.
            InvalidInput: the files are damaged.
        """
        from engine.report import render_report

        return render_report(self._detail(number), self.statistics(number), self.history(number))

    def logs(
        self, number: int, component: str | None = None, *, limit: int = 50
    ) -> tuple[LogLine, ...]:
        """Return the newest log lines, newest first.

        Args:
            number: of the experiment.
            component: "Examples", "Stats", "Schema", "Transform", "Train" or TFX's name, in any
                case; all components when None.
            limit: how many lines.

        Raises:
            NotFound: no such experiment or component.
            EnvironmentNotReady: the run is elsewhere, and its logs can't be fetched now.
        """
        with self._database.read() as session:
            found = experiments.track(session, number)
        read = partial(self._files.logs, found, limit=limit)
        return component_logs(read, component, limit=limit)

    def gc(self) -> GarbageReport:
        """Remove run folders and cached outputs that no experiment refers to.

        Copies of databases' tables go where no dataset names the table and no definition is wrong.

        Raises:
            NotAllowed: an experiment is running.
        """
        from engine.query.source import unused_copies

        unused = unused_copies(self.definitions(), self.workspace)
        return collect(self._database, self.workspace, unused)

    def definitions(self) -> "Definitions":
        """Return the valid definitions of the workspace and the problems of the others.

        Reads their files; safe from any thread.
        """
        return self._own_planner.definitions()

    def watch_definitions(
        self, stop: threading.Event, on_change: "Callable[[Definitions], None]"
    ) -> None:
        """Call `on_change` with the definitions, now and at each change, until stopped; blocks.

        Raises:
            InvalidInput: the settings are wrong.
        """
        self._own_planner.catalog.watch(stop, on_change)

    def preview_features(self, name: str) -> "FeaturesPreview":
        """Return the tensors that a feature config makes of its data, read as it is now.

        Takes about a second for 1.5 million rows.

        Raises:
            NotFound: a name that isn't defined.
            InvalidInput: a definition or the data is wrong.
        """
        from engine.previews import preview_features

        return preview_features(name, self.definitions(), root=self.workspace.root)

    def preview_model(self, name: str, features: "FeaturesPreview | None" = None) -> "ModelPreview":
        """Return the layers and weights of a model config; reads no data.

        Args:
            name: of the model config.
            features: what goes into it; without, what depends on it is None.

        Raises:
            NotFound: a name that isn't defined.
            InvalidInput: the definition is wrong.
        """
        from engine.previews import preview_model

        return preview_model(name, features, self.definitions())

    def dataset_summary(self, name: str) -> "DatasetSummary":
        """Return what a dataset holds, read as it is now.

        Takes about a second for 1.5 million rows.

        Raises:
            NotFound: a name that isn't defined.
            InvalidInput: the definition or the data is wrong.
        """
        from engine.datasets import dataset_summary

        return dataset_summary(name, self.definitions(), self.workspace.root)

    def dataset_sql(
        self,
        name: str,
        *,
        dialect: "Dialect" = "duckdb",
        part: "SplitName | None" = None,
        split: "Split | None" = None,
    ) -> str:
        """Return the SQL of a dataset's filtered rows, or of one part of their split.

        Args:
            name: of the dataset.
            dialect: "duckdb", or "bigquery" with the types of the local files.
            part: of the split, of all rows; the filtered rows when None.
            split: how they are split; at random when None.

        Raises:
            NotFound: a name that isn't defined.
            InvalidInput: the definition, the split or the data is wrong.
        """
        from engine.datasets import dataset_sql
        from engine.spec import Split

        found, root = self.definitions(), self.workspace.root
        split = split or Split()
        return dataset_sql(name, found, root, dialect=dialect, part=part, split=split)

    def worker_status(self) -> WorkerStatus:
        """Return who looks after the experiments."""
        return self._worker.status()

    def close(self) -> None:
        """Close the database; running experiments go on."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _detail(self, number: int) -> ExperimentDetail:
        with self._database.read() as session:
            row = session.get(
                ExperimentRow, number, options=[selectinload(ExperimentRow.components)]
            )
            if row is None:
                raise NotFound(f"There is no experiment #{number}.")
            return views.detail(
                row,
                documents.get(session, number, "metrics", TrainingMetrics),
                documents.get(session, number, "warnings", WARNINGS) or (),
                remaining(session, [number], datetime.now(UTC)).get(number),
            )

    def _wake_worker(self) -> None:
        if self._starts_worker:
            self._worker.wake()

    def _keep_worker(self) -> None:
        """See to it that active experiments are looked after; reading works without."""
        if not self._starts_worker:
            return
        try:
            self._worker.ensure()
        except EnvironmentNotReady as error:
            _log.warning("no worker: %s", error)
