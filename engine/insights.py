"""What a run left besides its metrics, fetched when somebody looks: statistics, histograms."""

from engine.credibility import NotCredible, believed
from engine.errors import EngineError, InvalidInput, NotAllowed, NotFound
from engine.run_files import RunFiles
from engine.spec import ExperimentSpec, SplitName
from engine.spec.run_folder import (
    HISTOGRAMS,
    SCHEMA_FILE,
    STATISTICS_FILES,
    ComponentName,
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
            return believed(Histograms, data)
        except NotCredible as error:
            raise InvalidInput(
                f"The histograms of experiment #{number} can't be believed: in {HISTOGRAMS},"
                f" {error}.",
                hint=f"`towerlab rerun {number}` makes them anew.",
            ) from error


def _missing(found: Tracked, what: str, component: ComponentName) -> EngineError:
    if not found.ended:
        return NotAllowed(
            f"Experiment #{found.number} has no {what} yet: they come when {component} has ended.",
            hint=f"`towerlab show {found.number} --wait` watches it.",
        )
    if found.status == "completed":
        return NotFound(
            f"Experiment #{found.number} has no {what}: its files were removed, are too large, or"
            " are of an earlier version that didn't write them.",
            hint=f"`towerlab rerun {found.number}` makes them.",
        )
    ended = {"failed": "it failed", "cancelled": "it was cancelled"}.get(
        found.status, "it was lost"
    )
    return NotFound(
        f"Experiment #{found.number} has no {what}: {ended} before {component} ended.",
        hint=f"`towerlab show {found.number}` says more.",
    )
