"""Frozen views of experiments: what commands print and screens show, never ORM rows.

`ExperimentDetail.model_dump(mode="json")` is the object that `towerlab show N --json` prints.
A value that doesn't apply (yet) is None.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import AliasChoices, ConfigDict, Field, computed_field

from engine.spec import Cross, Feature, Frozen, ModelType, OptimizerName, TrainingParams
from engine.spec.run_folder import (
    ComponentName,
    GradientNorms,
    GradientStats,
    IndexReport,
    Interval,
    LogEntry,
    LossCurves,
    Rows,
    RunError,
    TowerName,
    Vocabulary,
    WeightNorms,
)
from engine.states import TERMINAL, BackendName, Hardware, Intent, Status

_MODEL_CONFIG = Field(
    validation_alias=AliasChoices("model_config_name", "model_config"),
    serialization_alias="model_config",
)


class _View(Frozen):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )


class Metrics(_View):
    """The figures of the result; recalls are shares, errors are in the target's unit."""

    loss: float | None = None
    recall_at_5: float | None = None
    recall_at_10: float | None = None
    recall_at_50: float | None = None
    recall_at_100: float | None = None
    new_recall_at_100: float | None = None
    """Recall@100 over the test rows whose buyer doesn't have the product in train."""
    ndcg_at_10: float | None = None
    catalogue_coverage: float | None = None
    rmse: float | None = None
    mae: float | None = None
    test_rmse: float | None = None
    test_mae: float | None = None
    auc_roc: float | None = None


class BaselineView(_View):
    """A reference model on the same test rows.

    `difference` is the model's primary metric minus this one's, with its paired interval.
    """

    name: str
    recall_at_5: float | None = None
    recall_at_10: float | None = None
    recall_at_50: float | None = None
    recall_at_100: float | None = None
    new_recall_at_100: float | None = None
    ndcg_at_10: float | None = None
    test_rmse: float | None = None
    test_mae: float | None = None
    difference: Interval | None = None


class SeenInTrain(_View):
    """Shares of the test rows whose pair, buyer or product occurs in train; products to rank."""

    pairs: float
    buyers: float
    products: float
    candidates: int


class ComponentView(_View):
    """One component of the pipeline."""

    name: ComponentName
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cached: bool = False

    @computed_field
    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to end; None until it has ended."""
        return _seconds(self.started_at, self.ended_at)


class ParamsView(TrainingParams):
    """The resolved training parameters, the optimizer, and the hardware that was asked for."""

    optimizer: OptimizerName
    hardware: Hardware | None = None


class FeatureView(_View):
    """One feature or cross and the dimensions that it gives to its tower's input."""

    column: str
    data_type: str
    transforms: tuple[str, ...]
    tensor_dim: int
    dim: int | None = None
    buckets: int | None = None
    max_length: int | None = None
    vocabulary: str | None = None
    primary: bool = False

    @classmethod
    def of(cls, feature: Feature | Cross) -> "FeatureView":
        """Return the view of a resolved feature or cross."""
        if isinstance(feature, Cross):
            return cls(
                column=feature.column,
                data_type="cross",
                transforms=feature.transforms,
                tensor_dim=feature.tensor_dim,
                dim=feature.dim,
                buckets=feature.buckets,
            )
        return cls(**feature.model_dump(), tensor_dim=feature.tensor_dim)


class TowerView(_View):
    """A tower: width of its input, its features, its layers in short ("128→64→32")."""

    tensor_dim: int
    features: tuple[FeatureView, ...]
    structure: str


class DefinitionHashes(_View):
    """Content hashes of the definitions as written."""

    dataset: str
    feature_config: str
    model_config_hash: str = Field(
        validation_alias=AliasChoices("model_config_hash", "model_config"),
        serialization_alias="model_config",
    )


class DefinitionsView(_View):
    """What the experiment ran with."""

    hashes: DefinitionHashes
    buyer: TowerView
    product: TowerView


class CloudView(_View):
    """Where the experiment is found in Google Cloud; None on other backends."""

    build_id: str | None = None
    pipeline_job_name: str | None = None


class ExperimentSummary(_View):
    """One experiment in a list."""

    number: int
    uid: str
    name: str
    description: str
    tags: tuple[str, ...]
    status: Status
    intent: Intent | None = Field(None, exclude=True)
    """What was asked for and hasn't happened yet; shown instead of the status."""
    stage: str | None
    """What it is doing; where a failed one ended; None for a completed or cancelled one."""
    progress: float | None
    """Share that is done, 0 to 1."""
    model_type: ModelType
    backend: BackendName
    dataset: str
    feature_config: str
    model_config_name: str = _MODEL_CONFIG
    params: ParamsView
    primary_metric: str
    """What the model is judged by."""
    epochs_trained: int | None
    """Fewer than `params.epochs` where training stopped early; None until it has ended."""
    metrics: Metrics
    difference: Interval | None = Field(None, exclude=True)
    """Primary metric minus the baseline's, with its paired interval; `baseline` has it in JSON."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: RunError | None
    parent: int | None

    @computed_field
    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to end; None until it has ended."""
        return _seconds(self.started_at, self.ended_at)

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL


class ExperimentPage(_View):
    """A page of experiments, newest first; `total` counts all that match."""

    items: tuple[ExperimentSummary, ...]
    total: int


class ExperimentDetail(ExperimentSummary):
    """Everything about one experiment but its curves and logs."""

    baseline: BaselineView | None
    interval: Interval | None
    references: Mapping[str, BaselineView]
    verdicts: tuple[str, ...]
    """Sentences on what was worth telling before the run, then on what the result is worth."""
    seen_in_train: SeenInTrain | None
    components: tuple[ComponentView, ...]
    index: IndexReport | None
    """The index that was exported; None of ranking models."""
    rows: Rows | None
    rows_without_target: int | None
    """Test rows that the errors leave out; None where nothing is rated."""
    definitions: DefinitionsView
    cloud: CloudView
    artifacts_uri: str | None
    remaining_seconds: float | None = Field(None, exclude=True)
    """Estimate of the time to its end while it runs."""


class TrainingHistory(_View):
    """Training curves; element i of each curve belongs to `epochs[i]`, epochs count from 0."""

    cached_at: datetime
    epochs: tuple[int, ...]
    loss: LossCurves
    gradient_norms: GradientNorms
    examples_per_second: tuple[float, ...] = ()
    """Empty where it isn't known."""
    epoch_metrics: dict[str, tuple[float, ...]] = {}
    """What was measured after each epoch besides the losses, as val_rmse."""
    weight_stats: dict[TowerName, WeightNorms] = {}
    gradient_stats: dict[TowerName, GradientStats] = {}
    """Empty until the Trainer has ended, as are weight_stats and vocabularies."""
    vocabularies: dict[str, Vocabulary] = {}
    final_metrics: dict[str, float]
    params: dict[str, float | int | str | None]


class LogLine(LogEntry):
    """A log line and the component that wrote it."""

    component: ComponentName


class WorkerStatus(_View):
    """Who looks after the experiments; `alive` is False when nobody does."""

    alive: bool
    pid: int | None = None
    host: str | None = None
    renewed_at: datetime | None = None
    active: int
    """How many experiments have not ended, or are to be deleted."""


class GarbageReport(_View):
    """What `gc` removed."""

    removed: tuple[str, ...]
    """Folders, relative to the workspace's state folder."""
    freed_bytes: int


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
