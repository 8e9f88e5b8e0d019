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
    histograms.json       `Histograms` of weights and gradients, written before the metrics
    test_rows.parquet     a row a test row, in the order of the examples: row_key int64,
                          buyer string, product string, seen_in_train bool (the pair is in train);
                          of retrieval and multitask: rank float64 (0-based mid-rank; null: product
                          unknown), popularity_rank, own_history_rank, item_to_item_rank float64,
                          each with another column of the same name and "_ties", float64: other
                          candidates with an equal score;
                          of ranking and multitask: label, prediction, bias_prediction float64
                          (in the target's unit; null: the row has no target)
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
from engine.spec.experiment import SplitName
from engine.spec.model import IndexKind, ModelType
from engine.spec.process import ProcessIdentity

SPEC = "spec.json"
LOCK = "lock"
SUPERVISOR = "supervisor.json"
CANCEL = "cancel"
CANCEL_SIGNAL = signal.SIGUSR1
COMPONENTS = "components.json"
TrainerFile = Literal["progress.json", "training_log.jsonl", "training_metrics.json"]
"""What the Trainer writes for the engine to read by itself, while it runs and at its end."""
PROGRESS: TrainerFile = "progress.json"
LOGS = "logs"
RUN_LOG = "logs/run.log"
TRAINING_LOG: TrainerFile = "training_log.jsonl"
TRAINING_METRICS: TrainerFile = "training_metrics.json"
TEMPORARY = "tmp"
EXIT = "exit.json"

LONG_RUN_EPOCHS = 20
KEPT_EVERY = 5
"""Of runs of more epochs than this, large records keep the first, every 5th and the last."""

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
TowerName = Literal["query", "candidate", "rating"]
"""The trained parts; `rating` is the rating head of ranking and multitask models."""
ArtifactName = Literal[
    "test_rows.parquet",
    "histograms.json",
    "schema/schema.pbtxt",
    "statistics/Split-train/FeatureStats.pb",
    "statistics/Split-eval/FeatureStats.pb",
    "statistics/Split-test/FeatureStats.pb",
]
"""Files of a run that are fetched whole, on demand: large, and rarely needed."""
TEST_ROWS: ArtifactName = "test_rows.parquet"
HISTOGRAMS: ArtifactName = "histograms.json"
SCHEMA_FILE: ArtifactName = "schema/schema.pbtxt"
STATISTICS_FILES: dict[SplitName, ArtifactName] = {
    "train": "statistics/Split-train/FeatureStats.pb",
    "eval": "statistics/Split-eval/FeatureStats.pb",
    "test": "statistics/Split-test/FeatureStats.pb",
}
BaselineName = Literal["popularity", "own_history", "item_to_item", "bias"]


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
    """One line of `training_log.jsonl`; `epoch` counts from 0, losses are means per example.

    `metrics` has what else was measured after the epoch, as val_rmse or val_recall_at_100.
    """

    epoch: int
    train_loss: float
    val_loss: float | None
    total_loss: float
    gradient_norm: float
    gradient_norm_query: float
    gradient_norm_candidate: float
    examples_per_second: float
    metrics: dict[str, float] = {}
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


class GradientStats(Frozen):
    """What the elements of a tower's gradient on one fixed batch were at each epoch's end.

    Of embedding tables they are those of the rows that the batch touches.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


class Histogram(Frozen):
    """Counts per bin, one row an epoch; the bins are the same in all epochs.

    `edges` has one element more than each row of `counts`, ascending.
    """

    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]


class TowerHistograms(Frozen):
    """Histograms of a tower's weights and gradients, and of the weights of each of its layers."""

    weights: Histogram
    gradients: Histogram
    layers: dict[str, Histogram] = {}


class Histograms(Frozen):
    """`histograms.json`; row i of each histogram belongs to `epochs[i]`, counted from 0.

    Runs of more than 20 epochs keep the first, every 5th and the last.
    """

    epochs: tuple[int, ...]
    towers: dict[TowerName, TowerHistograms]


class Vocabulary(Frozen):
    """What train knows of an embedded column.

    Attributes:
        size: distinct values of train.
        oov_share: share of the set values of eval and test that train doesn't have.
        coverage: share of the rows of eval and test whose value train has.
        missing_share: share of train's rows without a value.
    """

    size: int
    oov_share: float
    coverage: float
    missing_share: float


class IndexReport(Frozen):
    """The index that was exported, measured on queries of the test split.

    Attributes:
        kind: what answers.
        products: how many it holds.
        top_k: how many it answers.
        num_leaves: into how many the products are cut; None with brute force.
        leaves_to_search: how many of them a query looks into; None with brute force.
        recall: share of the first `top_k` of brute force that it finds.
        milliseconds: median time of one query, without the query tower.
        brute_force_milliseconds: likewise of brute force.
    """

    kind: IndexKind
    products: int
    top_k: int
    num_leaves: int | None = None
    leaves_to_search: int | None = None
    recall: float
    milliseconds: float
    brute_force_milliseconds: float

    def __str__(self) -> str:
        """Return all of it on one line."""
        exact = f"{self.brute_force_milliseconds:.1f} ms"
        if self.kind == "brute_force":
            return f"brute force over {self.products:,} products, {exact} a query"
        return (
            f"ScaNN, {self.leaves_to_search:,} of {self.num_leaves:,} leaves over"
            f" {self.products:,} products, finds {self.recall:.1%} of the top {self.top_k:,},"
            f" {self.milliseconds:.1f} ms a query (brute force {exact})"
        )


class Baseline(Frozen):
    """A reference model's metrics on the same test rows.

    `difference` is the model's primary metric minus the baseline's, with the paired bootstrap
    interval at the level of `CLAIM_LEVEL`, clustered by buyer. Of errors (RMSE, MAE) below 0 is better.
    """

    name: BaselineName
    metrics: dict[str, float]
    difference: "Interval"


class NewProducts(Frozen):
    """The test rows whose (buyer, product) pair isn't in train, and recall_at_K on them.

    The candidates stay the same: a product that the buyer had in train may still rank above.
    """

    rows: int
    metrics: dict[str, float]
    popularity: dict[str, float]


LEVEL = 0.95
"""How often intervals of a metric hold the true value."""
CLAIM_LEVEL = 0.99
"""How often those of a difference do, on which it rests whether anything is claimed of it."""


class Interval(Frozen):
    """A value of a metric with its bootstrap interval, resampling buyers."""

    metric: str
    value: float
    low: float
    high: float
    level: float = LEVEL


class Rows(Frozen):
    """Rows of each split."""

    train: int
    eval: int
    test: int


class TrainingMetrics(Frozen):
    """`training_metrics.json`: the source document's fields, and what makes them trustworthy.

    `final_metrics` has loss; of retrieval and multitask recall_at_5 … recall_at_100, ndcg_at_10 and
    the same as test_recall_at_K, test_ndcg_at_10, and catalogue_coverage; of ranking and multitask
    rmse and mae (eval), test_rmse and test_mae, and auc_roc where labels are binary.
    """

    model_type: ModelType = "retrieval"

    epochs: tuple[int, ...]
    loss: LossCurves
    gradient: GradientNorms
    weight_stats: dict[TowerName, WeightNorms]
    gradient_stats: dict[TowerName, GradientStats] = {}
    epoch_metrics: dict[str, tuple[float, ...]] = {}
    """What was measured after each epoch besides the losses, as val_rmse."""
    stopped_early: bool = False
    best_epoch: int | None = None
    """The epoch whose weights were kept, counted from 0; None without early stopping."""
    popularity_prior: bool = False
    """Whether the scores start from popularity's."""
    own_history: bool = False
    """Whether the buyers' own purchases are part of the scores."""
    chance_loss: float | None = None
    """Retrieval loss of towers that can't tell anything apart: the log of the softmax's width."""
    final_metrics: dict[str, float]
    params: dict[str, float | int | str | None]
    baseline: Baseline
    references: tuple[Baseline, ...] = ()
    """Other models on the same rows: `own_history`, the buyer's own products by how often they
    occur in train, then popularity; `item_to_item`, products by their co-occurrence with the
    buyer's; of multitask models `bias`."""
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
    rows_without_target: int = 0
    """Test rows that the errors leave out."""
    vocabulary_sizes: dict[str, int]
    vocabularies: dict[str, Vocabulary] = {}
    index: IndexReport | None = None
    """What was exported; None of ranking models."""
    available: bool = True
    saved_at: datetime

    @property
    def figures(self) -> dict[str, float]:
        """`final_metrics`, and `new_recall_at_100` where there are new products."""
        new = self.new_products
        return self.final_metrics | (
            {"new_recall_at_100": new.metrics["recall_at_100"]} if new else {}
        )


Baseline.model_rebuild()
