"""The run folder: the only channel between a run and the engine.

    spec.json             the ExperimentSpec
    lock                  flock held by the supervisor and the run while either lives
    supervisor.json       `Supervisor`: the claim of the run; created once, never replaced
    cancel                exists once somebody asked for the run to end; `CANCEL_SIGNAL` makes the
                          supervisor look at once, and stands for the file on a full disk
    components.json       list of `ComponentState`, replaced at each change
    progress.json         `Progress` of the Trainer, replaced at most once a second
    logs/<component>.jsonl  `LogEntry` a line, by the component's short name
    logs/run.log          stdout and stderr of the run
    training_log.jsonl    `EpochRecord` a line, written while the Trainer runs
    training_metrics.json `TrainingMetrics`, written once at the end of the Trainer
    test_rows.parquet     a row a test row: row_key int64, buyer string, product string,
                          rank float64 (0-based mid-rank; null: product unknown),
                          popularity_rank float64, seen_in_train bool (the pair is in train)
    statistics/ schema/ vocabularies/   copies of the shared cache's artifacts
    Trainer/              the Trainer's TFX outputs
    tmp/                  temporary files of the run; gone once it has ended
    exit.json             `ExitRecord`, written by temp file, fsync, rename: the run's verdict

Whatever replaces a file writes it whole to a temporary name beside it and renames it.
"""

import signal
from datetime import datetime
from typing import Literal

from pydantic import Field

from engine.spec.base import Frozen
from engine.spec.process import ProcessIdentity

SPEC = "spec.json"
LOCK = "lock"
SUPERVISOR = "supervisor.json"
CANCEL = "cancel"
CANCEL_SIGNAL = signal.SIGUSR1
COMPONENTS = "components.json"
PROGRESS = "progress.json"
LOGS = "logs"
RUN_LOG = "logs/run.log"
TRAINING_LOG = "training_log.jsonl"
TRAINING_METRICS = "training_metrics.json"
TEST_ROWS = "test_rows.parquet"
TEMPORARY = "tmp"
EXIT = "exit.json"

ComponentName = Literal["Examples", "Stats", "Schema", "Transform", "Train"]
COMPONENT_NAMES: tuple[ComponentName, ...] = ("Examples", "Stats", "Schema", "Transform", "Train")
TFX_NAMES: dict[str, ComponentName] = {
    "ExampleGen": "Examples",
    "StatisticsGen": "Stats",
    "SchemaGen": "Schema",
    "Transform": "Transform",
    "Trainer": "Train",
}
"""TFX node ids (every ExampleGen carries the id "ExampleGen") to the names that people see."""

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Supervisor(ProcessIdentity):
    """Who supervises a run, since when, and whether it came out of the warm runner."""

    started_at: datetime
    warm: bool


class ComponentState(Frozen):
    """State of one component; `outputs` maps the TFX output key to artifact paths."""

    name: ComponentName
    status: Literal["pending", "running", "completed", "failed", "cancelled"] = "pending"
    cached: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: dict[str, tuple[str, ...]] = {}


class Progress(Frozen):
    """How far the Trainer is: `step` of `steps` over all epochs, epochs counted from 1."""

    phase: Literal["loading", "training", "evaluating", "exporting"]
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    updated_at: datetime


class LogEntry(Frozen):
    """One log line of a component; the message is foreign text, at most 4,096 characters."""

    timestamp: datetime
    severity: Severity
    message: str


class EpochRecord(Frozen):
    """One line of `training_log.jsonl`; `epoch` counts from 0, losses are means per example."""

    epoch: int
    train_loss: float
    val_loss: float | None
    total_loss: float
    gradient_norm: float
    gradient_norm_query: float
    gradient_norm_candidate: float
    examples_per_second: float
    ended_at: datetime


class RunError(Frozen):
    """Why a run failed: one sentence, where it happened, and what to do (empty when unknown)."""

    component: ComponentName | None = None
    message: str
    hint: str = ""


class ExitRecord(Frozen):
    """The verdict on a run.

    Attributes:
        outcome: how it ended.
        error: set when it failed.
        exit_code: of the run's process; negative for a signal, None where it never started.
    """

    outcome: Literal["completed", "failed", "cancelled"]
    error: RunError | None = None
    exit_code: int | None = None
    started_at: datetime
    ended_at: datetime


class LossCurves(Frozen):
    """Loss per epoch, mean per example; `val` is on the eval split, `total` with regularization."""

    train: tuple[float, ...]
    val: tuple[float | None, ...]
    total: tuple[float, ...]


class GradientNorms(Frozen):
    """Global L2 norms per epoch (mean over steps); duplicate ids of a batch are summed first."""

    total: tuple[float, ...]
    query: tuple[float, ...]
    candidate: tuple[float, ...]


class WeightNorms(Frozen):
    """L1 and L2 norms of a tower's weights after each epoch."""

    l1: tuple[float, ...]
    l2: tuple[float, ...]


class Baseline(Frozen):
    """A reference model's metrics on the same test rows.

    `difference` is the model's primary metric minus the baseline's, with the paired bootstrap
    interval clustered by buyer.
    """

    name: Literal["popularity", "own_history"]
    metrics: dict[str, float]
    difference: "Interval"


class NewProducts(Frozen):
    """The test rows whose (buyer, product) pair isn't in train, and recall_at_K on them.

    The candidates stay the same: a product that the buyer had in train may still rank above.
    """

    rows: int
    metrics: dict[str, float]
    popularity: dict[str, float]


class Interval(Frozen):
    """A value of a metric with its bootstrap interval, resampling buyers."""

    metric: str
    value: float
    low: float
    high: float
    level: float = 0.95


class Rows(Frozen):
    """Rows of each split."""

    train: int
    eval: int
    test: int


class TrainingMetrics(Frozen):
    """`training_metrics.json`: the source document's fields, and what makes them trustworthy.

    `final_metrics` has loss, recall_at_5 … recall_at_100 and the same as test_recall_at_K.
    """

    epochs: tuple[int, ...]
    loss: LossCurves
    gradient: GradientNorms
    weight_stats: dict[Literal["query", "candidate"], WeightNorms]
    final_metrics: dict[str, float]
    params: dict[str, float | int | str | None]
    baseline: Baseline
    references: tuple[Baseline, ...] = ()
    """Other models on the same rows: `own_history`, the buyer's own products by how often they
    occur in train, then popularity."""
    new_products: NewProducts | None = None
    """None where every test row's pair is in train."""
    interval: Interval
    rows: Rows
    candidates: int = Field(ge=1)
    unknown_product_share: float
    """Share of the test rows whose product is not in train: always misses."""
    unknown_buyer_share: float
    seen_in_train_share: float
    """Share of the test rows whose (buyer, product) pair is in train too."""
    vocabulary_sizes: dict[str, int]
    available: bool = True
    saved_at: datetime


Baseline.model_rebuild()
