"""What a run left besides its metrics, fetched when somebody looks: statistics, histograms."""

from pydantic import ValidationError

from engine.errors import EngineError, InvalidInput, NotAllowed, NotFound
from engine.run_files import RunFiles
from engine.spec import ExperimentSpec, SplitName
from engine.spec.run_folder import (
    HISTOGRAMS,
    SCHEMA_FILE,
    STATISTICS_FILES,
    ComponentName,
    Histogram,
    Histograms,
)
from engine.statistics import DatasetStatistics, read_statistics
from engine.store import Database, documents, experiments
from engine.store.experiments import Tracked


class InsightService:
    """Reads the artifacts of experiments.

    Args:
        database: where experiments are.
        files: what their runs have left.
    """

    def __init__(self, database: Database, files: RunFiles) -> None:
        self._database = database
        self._files = files

    def statistics(self, number: int) -> DatasetStatistics:
        """Return what TFDV measured, and the schema.

        Raises:
            NotFound: there is no such experiment, or it ended without.
            NotAllowed: it hasn't measured them yet.
            InvalidInput: the files are damaged.
        """
        with self._database.read() as session:
            found = experiments.track(session, number)
            spec = documents.get(session, number, "spec", ExperimentSpec)
        files: dict[SplitName, bytes] = {
            split: data
            for split, name in STATISTICS_FILES.items()
            if (data := self._files.artifact(found, name)) is not None
        }
        if not files:
            raise _missing(found, "statistics", "Stats")
        schema = self._files.artifact(found, SCHEMA_FILE)
        return read_statistics(files, schema, timestamp=spec.examples.timestamp if spec else None)

    def histograms(self, number: int) -> Histograms:
        """Return the histograms of weights and gradients.

        Raises:
            NotFound: there is no such experiment, or it ended without.
            NotAllowed: its Trainer hasn't ended yet.
            InvalidInput: the file is damaged.
        """
        with self._database.read() as session:
            found = experiments.track(session, number)
        data = self._files.artifact(found, HISTOGRAMS)
        if data is None:
            raise _missing(found, "histograms", "Train")
        try:
            histograms = Histograms.model_validate_json(data)
        except ValidationError as error:
            raise _damaged(number) from error
        if not _fits(histograms):
            raise _damaged(number)
        return histograms


def _missing(found: Tracked, what: str, component: ComponentName) -> EngineError:
    if not found.ended:
        return NotAllowed(
            f"Experiment #{found.number} has no {what} yet: they come when {component} has ended.",
            hint=f"`towerlab show {found.number} --wait` watches it.",
        )
    if found.status == "completed":
        return NotFound(
            f"Experiment #{found.number} has no {what}: its files were removed, or are of an"
            " earlier version that didn't write them.",
            hint=f"`towerlab rerun {found.number}` makes them.",
        )
    ended = {"failed": "it failed", "cancelled": "it was cancelled"}.get(
        found.status, "it was lost"
    )
    return NotFound(
        f"Experiment #{found.number} has no {what}: {ended} before {component} ended.",
        hint=f"`towerlab show {found.number}` says more.",
    )


def _fits(histograms: Histograms) -> bool:
    every = [
        histogram
        for tower in histograms.towers.values()
        for histogram in (tower.weights, tower.gradients, *tower.layers.values())
    ]
    return bool(histograms.epochs) and all(_is_whole(h, len(histograms.epochs)) for h in every)


def _is_whole(histogram: Histogram, epochs: int) -> bool:
    edges = histogram.edges
    return (
        len(histogram.counts) == epochs
        and all(low < high for low, high in zip(edges, edges[1:], strict=False))
        and len(edges) > 1
        and all(len(row) == len(edges) - 1 and min(row) >= 0 for row in histogram.counts)
    )


def _damaged(number: int) -> InvalidInput:
    return InvalidInput(
        f"The histograms of experiment #{number} can't be read: the file is damaged.",
        hint="Rerun the experiment.",
    )
