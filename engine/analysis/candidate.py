"""An experiment as a comparison sees it: what it ran with and what came of it, as stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.snapshots import ExperimentDetail
from engine.spec import ExperimentSpec, Split
from engine.spec.run_folder import TrainingMetrics


@dataclass(frozen=True)
class Candidate:
    """A completed experiment.

    Attributes:
        detail: as `Engine.get` returns it.
        spec: what the pipeline was given.
        definitions: "dataset", "feature_config" and "model_config" as they were written.
        metrics: what the Trainer recorded.
    """

    detail: ExperimentDetail
    spec: ExperimentSpec
    definitions: Mapping[str, Mapping[str, Any]]
    metrics: TrainingMetrics

    @property
    def number(self) -> int:
        """The experiment's number."""
        return self.detail.number

    @property
    def model_type(self) -> str:
        """Retrieval, ranking or multitask."""
        return self.spec.model.type

    @property
    def primary_metric(self) -> str:
        """What the model is judged by."""
        return self.detail.primary_metric

    def data_differences(self, other: "Candidate") -> Iterator[str]:
        """Say in what the data of two experiments differ, most important first."""
        mine, theirs = self.detail, other.detail
        if mine.dataset != theirs.dataset:
            yield f"dataset {mine.dataset} against {theirs.dataset}"
        elif mine.definitions.hashes.dataset != theirs.definitions.hashes.dataset:
            yield f"dataset {mine.dataset} was edited in between{self._edited(other)}"
        elif self.spec.examples.fingerprint != other.spec.examples.fingerprint:
            yield "the data files changed in between"
        params, others = mine.params, theirs.params
        if params.sample_percent != others.sample_percent:
            yield f"sample {params.sample_percent:g}% against {others.sample_percent:g}%"
        if params.sample_by != others.sample_by:
            yield f"sampled by {params.sample_by} against {others.sample_by}"
        if params.split != others.split:
            yield f"split {split_text(params.split)} against {split_text(others.split)}"
        if params.split_seed != others.split_seed:
            yield f"seed of the split {params.split_seed} against {others.split_seed}"

    def _edited(self, other: "Candidate") -> str:
        """Return " (filters, histories)": the keys of the dataset that are not the same."""
        mine, theirs = self.definitions["dataset"], other.definitions["dataset"]
        keys = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        return f" ({', '.join(keys)})" if keys else ""


def split_text(split: Split) -> str:
    """Return a split in words, as "strict-time 30/7/7 days"."""
    if split.kind == "time-holdout":
        return f"time-holdout, last {split.holdout_days} days"
    if split.kind == "strict-time":
        return f"strict-time {split.train_days}/{split.val_days}/{split.test_days} days"
    return split.kind
