"""Plans for Vertex AI: the rows of BigQuery, and the wizard's machines."""

from pathlib import Path

import pytest
import sqlglot

from engine.parameters import recommended_hardware
from engine.spec import SPLITS
from engine.spec.cloud import CloudTarget, build_substitutions, compile_options
from tests.engine.planned import RATINGS, Workspace


@pytest.fixture
def ratings(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    source = '[datasets.ratings.bigquery]\nproject = "shop"\ndataset = "sales"\n\n'
    workspace.define(RATINGS.replace("[features.basic]", source + "[features.basic]"))
    return workspace


def test_the_same_rows_are_asked_of_bigquery(ratings: Workspace):
    local, cloud = ratings.plan(), ratings.plan(backend="vertex")
    assert (local.examples.dialect, cloud.examples.dialect) == ("duckdb", "bigquery")
    assert cloud.rows == local.rows
    assert cloud.features == local.features
    assert cloud.examples.columns == local.examples.columns
    assert cloud.examples.files == ()
    for split in SPLITS:
        query = cloud.examples.queries[split]
        assert "FROM `shop`.`sales`.`ratings` AS `ratings`" in query
        assert str(ratings.root) not in query
        sqlglot.parse_one(query, dialect="bigquery")


def test_rows_of_this_machine_are_sent_where_that_is_asked_for(tmp_path: Path):
    workspace = Workspace(tmp_path)
    told = workspace.refusal(backend="vertex")
    assert told.endswith("or send the rows: --upload-rows.")
    plan = workspace.plan(backend="vertex", upload_rows=True)
    assert plan.examples == workspace.plan().examples
    assert plan.params.machine_type == "e2-standard-4"


def test_bigquery_is_read_where_the_dataset_is_there(ratings: Workspace):
    asked = ratings.plan(backend="vertex", upload_rows=True)
    assert asked.examples == ratings.plan(backend="vertex").examples


@pytest.mark.parametrize(
    ("hardware", "machine"),
    [("small", "e2-standard-4"), ("medium", "e2-standard-8"), ("large", "e2-standard-16"),
     (None, "e2-standard-4")],
)  # fmt: skip
def test_the_hardware_reaches_the_build_s_arguments(
    ratings: Workspace, hardware: str | None, machine: str
):
    spec = ratings.plan(backend="vertex", hardware=hardware).spec("0123456789abcdef", 1)
    assert spec.params.machine_type == machine
    target = CloudTarget(
        project="p", region="r", dataflow_region="d", root="gs://b", temp_root="gs://t", image="i"
    )
    options = compile_options(target, spec, target.spec_uri(spec.uid))
    assert build_substitutions(options)["_MACHINE_TYPE"] == machine


def test_more_rows_recommend_larger_machines():
    recommended = [recommended_hardware(rows) for rows in (100, 1_000_000, 10_000_000)]
    assert recommended == ["small", "medium", "large"]


def test_on_this_machine_the_hardware_means_nothing(ratings: Workspace):
    assert ratings.plan(hardware="large").params.machine_type is None
