"""Experiments as a list of cards shows them: few fields, cheap to make, light to import.

The standard library only, because the app imports this before its first frame. `Engine.cards` and
`engine.glance` read the same `COLUMNS` and make their cards here, so that both show the same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.states import TERMINAL, BackendName, Intent, Status, intent_of

if TYPE_CHECKING:
    from engine.spec import ModelType
    from engine.spec.run_folder import ComponentName

COLUMNS = (
    "number",
    "uid",
    "name",
    "description",
    "tags",
    "status",
    "cancel_requested_at",
    "delete_requested_at",
    "stage",
    "progress",
    "model_type",
    "primary_metric",
    "backend",
    "dataset",
    "feature_config",
    "model_config",
    "sample_percent",
    "epochs",
    "epochs_trained",
    "batch_size",
    "learning_rate",
    "recall_at_5",
    "recall_at_10",
    "recall_at_50",
    "recall_at_100",
    "rmse",
    "mae",
    "test_rmse",
    "test_mae",
    "difference",
    "difference_low",
    "difference_high",
    "error_component",
    "error_message",
    "error_hint",
    "created_at",
    "started_at",
    "ended_at",
    "version",
)
"""Columns of `experiments`, in the order in which `Card.from_columns` takes their values."""

_MOMENTS = ("created_at", "started_at", "ended_at")
_NOT_COPIED = frozenset({"tags", "cancel_requested_at", "delete_requested_at", *_MOMENTS})
_COPIED = tuple(name for name in COLUMNS if name not in _NOT_COPIED)


@dataclass(frozen=True, slots=True)
class Card:
    """One experiment in a list; what doesn't apply (yet) is None.

    Attributes:
        intent: what was asked for and hasn't happened yet; shown instead of the status.
        stage: what it is doing, or where it failed.
        progress: share that is done, 0 to 1.
        primary_metric: what the model is judged by.
        epochs_trained: fewer than `epochs` where training stopped early.
        difference: primary metric minus the baseline's, and the paired interval of it.
        version: grows with every change of the experiment.
        remaining_seconds: estimate of the time to its end while it runs.
    """

    number: int
    uid: str
    name: str
    description: str
    tags: tuple[str, ...]
    status: Status
    intent: Intent | None
    stage: str | None
    progress: float | None
    model_type: "ModelType"
    primary_metric: str
    backend: BackendName
    dataset: str
    feature_config: str
    model_config: str
    sample_percent: float
    epochs: int
    epochs_trained: int | None
    batch_size: int
    learning_rate: float
    recall_at_5: float | None
    recall_at_10: float | None
    recall_at_50: float | None
    recall_at_100: float | None
    rmse: float | None
    mae: float | None
    test_rmse: float | None
    test_mae: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    error_component: "ComponentName | None"
    error_message: str | None
    error_hint: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: int
    remaining_seconds: float | None = None

    @classmethod
    def from_columns(cls, values: Sequence[Any]) -> "Card":
        """Return the card of a row of the database.

        Args:
            values: of `COLUMNS`, in their order; times as datetimes or as SQLite's text (UTC),
                tags as a list or as JSON.

        Raises:
            ValueError: a time or the tags cannot be read.
        """
        row: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
        copied: dict[str, Any] = {name: row[name] for name in _COPIED}
        moments: dict[str, Any] = {name: _moment(row[name]) for name in _MOMENTS}
        return cls(
            **copied,
            **moments,
            tags=_tags(row["tags"]),
            intent=intent_of(
                row["status"],
                cancel=row["cancel_requested_at"] is not None,
                delete=row["delete_requested_at"] is not None,
            ),
        )

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL

    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to end; None until it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class CardPage:
    """A page of experiments, newest first; `total` counts all that match."""

    items: tuple[Card, ...]
    total: int


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The names that experiments have, each kind in ascending order."""

    datasets: tuple[str, ...]
    feature_configs: tuple[str, ...]
    model_configs: tuple[str, ...]


def _tags(value: str | list[str]) -> tuple[str, ...]:
    return tuple(json.loads(value) if isinstance(value, str) else value)


def _moment(value: str | datetime | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
