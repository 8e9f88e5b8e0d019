"""`ComparisonService`: completed experiments side by side."""

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from sqlalchemy.orm import selectinload

from engine.errors import NotAllowed, NotFound
from engine.run_files import RunFiles
from engine.spec import ExperimentSpec
from engine.spec.run_folder import TEST_ROWS, TrainingMetrics
from engine.store import Database, documents, experiments, views
from engine.store.insertion import DEFINITIONS
from engine.store.models import ExperimentRow

if TYPE_CHECKING:
    from engine.analysis.candidate import Candidate
    from engine.analysis.comparison import Comparison


class ComparisonService:
    """Compares what experiments stored and what their runs left.

    Args:
        database: where experiments are.
        files: what their runs have left; the test rows are among it.
    """

    def __init__(self, database: Database, files: RunFiles) -> None:
        self._database = database
        self._files = files

    def compare(self, numbers: Sequence[int], baseline: int | None) -> "Comparison":
        """Compare 2 to 4 completed experiments with one of them, the first when None.

        Raises:
            NotFound: there is none with one of these numbers.
            NotAllowed: one of them has no result.
            InvalidInput: too few or too many, one twice, or another baseline.
        """
        from engine.analysis import comparison  # numpy takes 0.1 s

        comparison.check_numbers(numbers, baseline)
        candidates = [self._candidate(number) for number in numbers]
        against = numbers[0] if baseline is None else baseline
        return comparison.compare(candidates, against, self._test_rows)

    def _candidate(self, number: int) -> "Candidate":
        from engine.analysis.candidate import Candidate

        with self._database.read() as session:
            loaded = [selectinload(ExperimentRow.components)]
            row = session.get(ExperimentRow, number, options=loaded)
            if row is None:
                raise NotFound(f"There is no experiment #{number}.")
            if row.status != "completed":
                raise NotAllowed(
                    f"#{number} has no result to compare: it is {row.status}.",
                    hint="Only completed experiments can be compared.",
                )
            metrics = documents.get(session, number, "metrics", TrainingMetrics)
            spec = documents.get(session, number, "spec", ExperimentSpec)
            definitions = documents.get(session, number, "definitions", DEFINITIONS)
            if metrics is None or spec is None or definitions is None:
                missing = "its result" if metrics is None else "what it ran with"
                raise NotAllowed(
                    f"#{number} can't be compared: {missing} is no longer in the workspace's"
                    " database.",
                    hint="Leave it out, or compare a new run: `towerlab run --feature-config"
                    f" {quote(row.feature_config)} --model-config {quote(row.model_config)}`.",
                )
            return Candidate(views.detail(row, metrics), spec, definitions, metrics)

    def _test_rows(self, candidate: "Candidate") -> bytes | None:
        with self._database.read() as session:
            found = experiments.track(session, candidate.detail.number)
        return self._files.artifact(found, TEST_ROWS)
