"""A target that some split lacks is refused before anything runs."""

from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from tests.engine.planned import Workspace

RATED = dedent(
    """\
    [datasets.rated]
    primary = "rated"
    tables = { rated = "rated.parquet" }
    roles = { buyer = "user", product = "item", timestamp = "at" }

    [features.basic]
    dataset = "rated"
    target = "rating"
    buyer = [{ column = "user", primary = true }]
    product = [{ column = "item", primary = true }]

    [models.ranking]
    type = "ranking"
    preset = "minimal"

    [models.retrieval]
    type = "retrieval"
    preset = "minimal"
    """
)
LAST_WEEK = {"split": "time-holdout", "holdout_days": 7}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """1,500 rows of as many hours, of which the first 1,200 have a target: 50 of 62.5 days."""
    duckdb.sql(
        """
        SELECT 'u' || (i % 40) AS "user", 'i' || (i * 7 % 60) AS item,
            TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS "at",
            CASE WHEN i < 1200 THEN i % 5 ELSE 'nan'::DOUBLE END AS rating
        FROM range(1500) r(i)
        """
    ).write_parquet(str(tmp_path / "rated.parquet"))
    made = Workspace(tmp_path)
    made.define(RATED)
    return made


def test_a_split_without_targets_is_refused(workspace: Workspace):
    assert (
        'features.basic.target: no row of the test split has a number in the target "rating".'
        in workspace.refusal(model_config_name="ranking", **LAST_WEEK)
    )
    weeks = {"split": "strict-time", "train_days": 30, "val_days": 5, "test_days": 5}
    assert "no row of the eval, test split has" in workspace.refusal(
        model_config_name="ranking", **weeks
    )


def test_what_does_not_learn_the_target_does_without(workspace: Workspace):
    assert workspace.plan(model_config_name="retrieval", **LAST_WEEK).rows.test == 168
    assert workspace.plan(model_config_name="ranking").rows.test > 0


def test_a_target_that_is_empty_in_a_csv_file_is_told_as_empty_not_as_text(tmp_path: Path):
    workspace = Workspace(tmp_path)
    (tmp_path / "rated.csv").write_text("user,item,at,rating\nu,i,2024-01-01,\nv,j,2024-01-02,\n")
    workspace.define(RATED.replace("rated.parquet", "rated.csv"))
    assert workspace.refusal(model_config_name="ranking") == (
        'definitions/all.toml:8: features.basic.target: the target "rating" of dataset "rated" '
        "holds no values. Name a column of numbers, or take the target out."
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("NULL::DOUBLE", 'Column "rating" of dataset "rated" holds no value in any of the'),
        ("'nan'::DOUBLE", 'Column "rating" of dataset "rated" holds no value in any of the'),
        ("NULL::VARCHAR", 'The target "rating" of dataset "rated" holds no values.'),
    ],
)
def test_retrieval_does_without_a_target_that_nothing_can_learn(
    workspace: Workspace, value: str, told: str
):
    file = workspace.root / "rated.parquet"
    duckdb.sql(f"FROM '{file}' SELECT * REPLACE ({value} AS rating)").write_parquet(str(file))
    plan = workspace.plan(model_config_name="retrieval")
    assert plan.warnings[0].startswith(told)
    assert plan.warnings[0].endswith(" Retrieval learns without it.")
    assert [column.name for column in plan.examples.columns] == ["user", "item", "at", "row_key"]
    assert plan.features.target is None
    assert plan.definitions["feature_config"]["target"] == "rating"
    assert told[1:] in workspace.refusal(model_config_name="ranking")
