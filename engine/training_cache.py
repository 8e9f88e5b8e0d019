"""`TrainingCacheService`: training curves kept in the database, so that they show at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from engine.backends.base import Backend
from engine.backends.registry import backend_named
from engine.errors import InvalidInput
from engine.lease import Lease
from engine.snapshots import TrainingHistory
from engine.spec.run_folder import (
    KEPT_EVERY,
    LONG_RUN_EPOCHS,
    EpochRecord,
    GradientNorms,
    GradientStats,
    LossCurves,
    TrainingMetrics,
    WeightNorms,
)
from engine.store import Database, documents, experiments
from engine.store.models import ExperimentRow

MAX_BYTES = 1_000_000
"""A larger history is refused; a thinned one of 1,000 epochs takes about 30 kB."""

_Params = dict[str, float | int | str | None]
_T = TypeVar("_T")
_Curves = TypeVar("_Curves", WeightNorms, GradientStats)


class TrainingCacheService:
    """Fetches the curves of a run from its backend into the database.

    Args:
        database: where experiments are.
        backends: by name.
        lease: fences the writes of a worker; None elsewhere.
    """

    def __init__(
        self, database: Database, backends: Mapping[str, Backend], lease: Lease | None = None
    ) -> None:
        self._database = database
        self._backends = backends
        self._lease = lease

    def cache_training_history(self, number: int) -> TrainingHistory | None:
        """Fetch the curves so far and store them; what was stored stays when nothing newer came.

        Returns:
            What is stored now; None before the first epoch has ended.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: the run's curves don't fit together, or are too large to store.
        """
        with self._database.read() as session:
            found = experiments.track(session, number)
            cached = documents.get(session, number, "history", TrainingHistory)
            params = _params(session.get_one(ExperimentRow, number))
        backend = backend_named(self._backends, found.backend)
        metrics = backend.metrics(found.uid)
        if metrics is not None:
            history = history_of_metrics(metrics, backend.epochs(found.uid))
        else:
            history = history_of_epochs(backend.epochs(found.uid), params)
        if not history.epochs or _same(history, cached):
            return cached
        content = history.model_dump_json()
        if len(content) > MAX_BYTES:
            raise InvalidInput(
                f"The training history of experiment #{number} has {len(content):,} characters;"
                f" no more than {MAX_BYTES:,} are stored."
            )
        with self._database.write() as session:
            if self._lease is not None:
                self._lease.guard(session)
            experiments.track(session, number)
            documents.put(session, number, "history", content)
        return history

    def get_cached_history(self, number: int) -> TrainingHistory | None:
        """Return the stored curves; None before the first epoch has ended.

        Raises:
            NotFound: there is no such experiment.
        """
        with self._database.read() as session:
            experiments.track(session, number)
            return documents.get(session, number, "history", TrainingHistory)


def history_of_metrics(
    metrics: TrainingMetrics, records: Sequence[EpochRecord] = ()
) -> TrainingHistory:
    """Return the history of a Trainer that has ended.

    Args:
        metrics: what it wrote at its end.
        records: what it wrote after each epoch; they alone know its speed.

    Raises:
        InvalidInput: its curves are of different lengths.
    """
    loss, gradient, count = metrics.loss, metrics.gradient, len(metrics.epochs)
    curves = [
        *(loss.train, loss.val, loss.total, gradient.total, gradient.query, gradient.candidate),
        *metrics.epoch_metrics.values(),
    ]
    for stats in (*metrics.weight_stats.values(), *metrics.gradient_stats.values()):
        curves += [getattr(stats, name) for name in type(stats).model_fields]
    if any(len(curve) != count for curve in curves):
        raise InvalidInput("The curves of training_metrics.json are of different lengths.")
    keep = kept_epochs(count, planned=count)
    return TrainingHistory(
        cached_at=datetime.now(UTC),
        epochs=_pick(metrics.epochs, keep),
        loss=LossCurves(
            train=_pick(loss.train, keep), val=_pick(loss.val, keep), total=_pick(loss.total, keep)
        ),
        gradient_norms=GradientNorms(
            total=_pick(gradient.total, keep),
            query=_pick(gradient.query, keep),
            candidate=_pick(gradient.candidate, keep),
        ),
        examples_per_second=tuple(
            records[i].examples_per_second for i in keep if len(records) == count
        ),
        epoch_metrics={name: _pick(c, keep) for name, c in metrics.epoch_metrics.items()},
        weight_stats={tower: _thinned(c, keep) for tower, c in metrics.weight_stats.items()},
        gradient_stats={tower: _thinned(c, keep) for tower, c in metrics.gradient_stats.items()},
        vocabularies=metrics.vocabularies,
        final_metrics=metrics.final_metrics,
        params=metrics.params,
    )


def history_of_epochs(records: Sequence[EpochRecord], params: _Params) -> TrainingHistory:
    """Return the history of a Trainer that runs, or was ended before it wrote its metrics."""
    planned = params.get("epochs")
    length = planned if isinstance(planned, int) else len(records)
    kept = _pick(records, kept_epochs(len(records), planned=length))
    return TrainingHistory(
        cached_at=datetime.now(UTC),
        epochs=tuple(r.epoch for r in kept),
        loss=LossCurves(
            train=tuple(r.train_loss for r in kept),
            val=tuple(r.val_loss for r in kept),
            total=tuple(r.total_loss for r in kept),
        ),
        gradient_norms=GradientNorms(
            total=tuple(r.gradient_norm for r in kept),
            query=tuple(r.gradient_norm_query for r in kept),
            candidate=tuple(r.gradient_norm_candidate for r in kept),
        ),
        examples_per_second=tuple(r.examples_per_second for r in kept),
        epoch_metrics=_measured_always(kept),
        final_metrics={},
        params=params,
    )


def kept_epochs(count: int, *, planned: int) -> list[int]:
    """Return which of `count` epochs are kept: all of a short run, else every 5th and the last."""
    if planned <= LONG_RUN_EPOCHS:
        return list(range(count))
    return [i for i in range(count) if i % KEPT_EVERY == 0 or i == count - 1]


def _pick(values: Sequence[_T], keep: Sequence[int]) -> tuple[_T, ...]:
    return tuple(values[i] for i in keep)


def _thinned(stats: _Curves, keep: Sequence[int]) -> _Curves:
    """Return curves of which only some epochs are kept."""
    return stats.replace(**{name: _pick(c, keep) for name, c in stats.model_dump().items()})


def _measured_always(records: Sequence[EpochRecord]) -> dict[str, tuple[float, ...]]:
    """Return the further metrics that every one of these epochs has."""
    names = dict.fromkeys(records[0].metrics) if records else {}
    always = [name for name in names if all(name in record.metrics for record in records)]
    return {name: tuple(record.metrics[name] for record in records) for name in always}


def _params(row: ExperimentRow) -> _Params:
    return {
        "epochs": row.epochs,
        "batch_size": row.batch_size,
        "learning_rate": row.learning_rate,
    }


def _same(history: TrainingHistory, cached: TrainingHistory | None) -> bool:
    return cached is not None and history == cached.replace(cached_at=history.cached_at)
