"""What the experiments list is filtered by, as the filter bar holds it."""

from dataclasses import dataclass, replace
from typing import Any, Final

FIELDS: Final = ("status", "model_type", "dataset", "feature_config", "model_config")
"""The filters that have choices, in the order of the bar."""
LABELS: Final = {
    "status": "Status",
    "model_type": "Type",
    "dataset": "Dataset",
    "feature_config": "Features",
    "model_config": "Model",
}
MODEL_TYPES: Final = ("retrieval", "ranking", "multitask")


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions joined by AND; "" matches all."""

    status: str = ""
    model_type: str = ""
    dataset: str = ""
    feature_config: str = ""
    model_config: str = ""
    search: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is filtered out."""
        return self != Filters()

    def with_value(self, field: str, value: str) -> "Filters":
        """Return the filters with one changed."""
        return replace(self, **{field: value})

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `Engine.cards`."""
        chosen = {field: getattr(self, field) or None for field in FIELDS}
        return {**chosen, "search": self.search}
