"""Promote: a local quick test becomes a run on all rows, on Google Cloud.

It is a rerun with the definitions that the test ran with. What it will read, and why one might not
want it, is told before.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EnvironmentNotReady, NotAllowed
from engine.formats import size
from engine.metric_names import metric_label, standing
from engine.planning import Plan
from engine.spec import SPLITS, Frozen

if TYPE_CHECKING:
    from engine.config import CloudSettings
    from engine.snapshots import ExperimentDetail

TAG = "promoted"


class Transfer(Frozen):
    """What a run in the cloud moves before it trains.

    Attributes:
        rows: of all splits.
        bytes: that BigQuery would read, or that are sent; None where it can't be told now.
        uploads: whether rows are sent to Cloud Storage, because the dataset isn't in BigQuery.
        unknown: why `bytes` isn't known.
    """

    rows: int
    bytes: int | None
    uploads: bool
    unknown: str = ""

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows"
        if self.bytes is None:
            return f"{rows} from BigQuery; how much it reads isn't known: {self.unknown}"
        if self.uploads:
            return f"{rows} are sent to Cloud Storage, about {size(self.bytes)}."
        return f"{rows} from BigQuery, which reads {size(self.bytes)} for them."


class Promotion(Frozen):
    """A promotion to be decided on.

    Attributes:
        number: of the experiment.
        plan: of what would run.
        doubts: sentences that say why one might not want it.
    """

    number: int
    plan: Plan
    transfer: Transfer
    doubts: tuple[str, ...]

    def __str__(self) -> str:
        """Return what is moved from where, and on which machines."""
        machines = self.plan.params.machine_type
        workers = f"Dataflow on {machines}." if machines else ""
        return " ".join(filter(None, (str(self.transfer), workers, self.plan.source_note)))


def changes_for(seen: "ExperimentDetail") -> Mapping[str, str]:
    """Return the changes by which a rerun is a promotion.

    Raises:
        NotAllowed: it hasn't ended, or ran so already.
    """
    if not seen.ended:
        raise NotAllowed(
            f"Experiment #{seen.number} is {seen.status}; only one that has ended can be promoted.",
            hint=f"Wait for it, or run `towerlab cancel {seen.number}`.",
        )
    if seen.backend == "vertex" and seen.params.sample_percent == 100:
        raise NotAllowed(f"Experiment #{seen.number} ran on all rows on Google Cloud already.")
    tags = ",".join(dict.fromkeys([*seen.tags, TAG]))
    return {"sample": "100", "backend": "vertex", "upload_rows": "true", "tag": tags}


def transfer_of(plan: Plan, settings: "CloudSettings") -> Transfer:
    """Return what a plan for Vertex AI moves; asks BigQuery, or writes some rows to see their size.

    Raises:
        InvalidInput: a table is missing, or the data has changed since the plan.
    """
    rows = plan.rows.train + plan.rows.eval + plan.rows.test
    if plan.examples.dialect == "bigquery":
        from engine.bigquery.asking import ask_reading

        queries = [plan.examples.queries[split] for split in SPLITS]
        try:
            found = ask_reading(queries, settings, settings.project)
        except EnvironmentNotReady as error:
            told = f"{error.message} {error.hint}".strip()
            return Transfer(rows=rows, bytes=None, uploads=False, unknown=told)
        return Transfer(rows=rows, bytes=found.bytes, uploads=False)
    return Transfer(rows=rows, bytes=_upload_bytes(plan, rows), uploads=True)


def _upload_bytes(plan: Plan, rows: int) -> int:
    """Return about how much is sent: the test split is written, and the others are like it."""
    from engine.query.uploads import write_rows

    with tempfile.TemporaryDirectory(prefix="towerlab-") as folder:
        (written,) = write_rows(plan.examples, Path(folder), splits=("test",))
        return round(written.stat().st_size * rows / plan.rows.test)


def doubts_about(seen: "ExperimentDetail") -> Iterator[str]:
    """Say why the result of an experiment doesn't call for more of it."""
    if seen.status != "completed":
        yield f"Experiment #{seen.number} has no result: it is {seen.status}."
        return
    metric, difference = seen.primary_metric, seen.difference
    value = getattr(seen.metrics, metric)
    baseline = seen.baseline
    if baseline is None or difference is None or value is None:
        yield "Nothing tells whether it beats its baseline."
        return
    if (found := standing(metric, difference.low, difference.high)) != "better":
        said = "is worse than" if found == "worse" else "can't be told from"
        figures = f"{difference.value:+.4f}, {difference.low:+.4f} to {difference.high:+.4f}"
        yield (
            f"It doesn't beat its baseline: {metric_label(metric)} of {value:.4f} {said} "
            f"{baseline.name}'s {getattr(baseline, metric):.4f} (difference {figures})."
        )
