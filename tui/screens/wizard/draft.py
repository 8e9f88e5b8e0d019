"""What somebody has filled in so far, and what is wrong with it before the engine is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.planning import QuickTestRequest
from tui.screens.wizard.numbers import READERS

LABELS: Final[dict[str, str]] = {
    "feature_config": "Features",
    "model_config_name": "Model",
    "name": "Name",
    "description": "Description",
    "tags": "Tags",
    "sample_percent": "Sample %",
    "sample_by": "Sample by",
    "split": "Split",
    "holdout_days": "Holdout days",
    "train_days": "Train days",
    "val_days": "Val days",
    "test_days": "Test days",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "early_stopping": "Stop early",
    "patience": "Patience",
    "seed": "Seed",
    "deterministic": "Repeatable",
    "backend": "Backend",
    "upload_rows": "Rows",
    "hardware": "Hardware",
}
"""Every field of the wizard, in the order of the screen."""
STEP_ONE: Final = ("feature_config", "model_config_name", "name", "description", "tags")
LIMITS: Final[dict[str, int]] = {"name": 120, "description": 500, "tags": 240}
"""How many characters a text takes."""
DEFAULTS: Final[dict[str, int]] = {
    name: QuickTestRequest.model_fields[name].default for name in ("epochs", "seed")
} | {"patience": 2}
"""What an empty number means whatever model config and data say."""
NO, YES = "", "yes"
"""Values of a choice between off and on."""
DAYS_OF: Final[dict[str, tuple[str, ...]]] = {
    "random": (),
    "time-holdout": ("holdout_days",),
    "strict-time": ("train_days", "val_days", "test_days"),
}
"""The day fields that each split needs."""


@dataclass(frozen=True)
class Checked:
    """What is filled in, after the checks that need neither definitions nor data.

    Attributes:
        request: what it asks for; None when something is wrong.
        problems: by field, what is wrong with it; in the order of the screen.
        warnings: by field, what is worth knowing about it.
        open: fields with a problem that is only that nothing is filled in yet.
    """

    request: QuickTestRequest | None = None
    problems: dict[str, str] = field(default_factory=dict[str, str])
    warnings: dict[str, str] = field(default_factory=dict[str, str])
    open: frozenset[str] = frozenset()


def check(texts: Mapping[str, str]) -> Checked:
    """Check the texts of all fields; "" leaves a number to its default."""
    problems: dict[str, str] = {}
    values: dict[str, object] = {}
    for name, what in (("feature_config", "feature config"), ("model_config_name", "model config")):
        values[name] = texts[name]
        if not texts[name]:
            problems[name] = f"Choose a {what}."
    needed = DAYS_OF[texts["split"]]
    still_open = frozenset(name for name in needed if not texts[name].strip())
    problems |= dict.fromkeys(still_open, "Needed: a number of days.")
    for name, read in READERS.items():
        text = texts[name].strip()
        if not text or (name.endswith("_days") and name not in needed):
            continue
        if name == "patience" and not texts["early_stopping"]:
            continue
        try:
            values[name] = read(text)
        except ValueError as error:
            problems[name] = str(error)
    warnings = {
        name: f"Full: at most {limit} characters."
        for name, limit in LIMITS.items()
        if len(texts[name]) >= limit
    }
    if problems:
        in_order = {name: problems[name] for name in LABELS if name in problems}
        return Checked(None, in_order, warnings, still_open)
    monitor, patience = texts["early_stopping"], values.pop("patience", DEFAULTS["patience"])
    stopping = {"early_stopping": patience, "early_stopping_on": monitor} if monitor else {}
    request = QuickTestRequest.model_validate(
        {
            **values,
            **stopping,
            "sample_by": texts["sample_by"] or None,
            "deterministic": texts["deterministic"] == YES,
            "name": texts["name"].strip(),
            "description": texts["description"].strip(),
            "tags": tags_of(texts["tags"]),
            "split": texts["split"],
            "backend": texts["backend"],
            "upload_rows": texts["backend"] == "vertex" and texts["upload_rows"] == YES,
            "hardware": texts["hardware"] or None,
        }
    )
    return Checked(request, warnings=warnings)


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags of a text that separates them by commas, each once."""
    tags = (tag.strip() for tag in text.split(","))
    return tuple(dict.fromkeys(tag for tag in tags if tag))
