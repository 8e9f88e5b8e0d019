"""A folder with ratings and definitions, in which tests plan."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from engine.definitions.reading import read_definitions
from engine.errors import InvalidInput
from engine.planning import Plan, QuickTestRequest, plan_quick_test
from tests.sample_data import write_ratings

RATINGS = dedent(
    """\
    [datasets.ratings]
    primary = "ratings"
    tables = { ratings = "ratings.csv" }
    roles = { buyer = "user", product = "item", timestamp = "at" }

    [features.basic]
    dataset = "ratings"
    buyer = [{ column = "user", primary = true }]
    product = [
      { column = "item", primary = true },
      { column = "title" },
      { column = "rating", transforms = ["bucketize", "normalize"] },
      { column = "at", transforms = ["cyclical_weekly", "normalize"] },
    ]

    [models.standard]
    type = "retrieval"
    preset = "standard"

    [models.large-batch]
    type = "retrieval"
    preset = "minimal"
    batch_size = 4096
    learning_rate = 0.5
    """
)


class Workspace:
    """A folder with ratings and their definitions."""

    def __init__(self, root: Path, rows: int = 300, **shape: int) -> None:
        self.root = root
        write_ratings(root / "ratings.csv", rows, **shape)
        self.define(RATINGS)

    def define(self, text: str) -> None:
        folder = self.root / "definitions"
        folder.mkdir(exist_ok=True)
        (folder / "all.toml").write_text(text, encoding="utf-8")
        self.definitions = read_definitions(folder)
        assert self.definitions.problems == ()

    def edit(self, old: str, new: str) -> None:
        assert RATINGS.count(old) == 1
        self.define(RATINGS.replace(old, new))

    def plan(self, **asked: Any) -> Plan:
        asked = {"feature_config": "basic", "model_config_name": "standard", **asked}
        return plan_quick_test(QuickTestRequest(**asked), self.definitions, root=self.root)

    def refusal(self, **asked: Any) -> str:
        with pytest.raises(InvalidInput) as refused:
            self.plan(**asked)
        assert "\n" not in str(refused.value)
        return str(refused.value)
