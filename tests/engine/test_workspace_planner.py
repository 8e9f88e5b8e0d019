"""Plans over real definition files and data; a rerun keeps what its parent ran with."""

import json

import pytest

from engine.api import Engine
from engine.errors import InvalidInput, NotFound
from engine.planning import QuickTestRequest
from engine.store import experiments
from engine.workspace import Workspace
from engine.workspace_planner import WorkspacePlanner
from tests.engine.scripted_backend import ScriptedBackend
from tests.sample_data import write_ratings

DEFINITIONS = """
[datasets.ratings]
primary = "ratings"
[datasets.ratings.tables]
ratings = "ratings.csv"
[datasets.ratings.roles]
buyer = "user"
product = "item"
timestamp = "at"

[features.basic]
dataset = "ratings"
[[features.basic.buyer]]
column = "user"
primary = true
[[features.basic.product]]
column = "item"
primary = true

[models.small]
type = "retrieval"
preset = "minimal"
learning_rate = 0.01
"""
REQUEST = QuickTestRequest(feature_config="basic", model_config_name="small")


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "config.toml").touch()
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.toml").write_text(DEFINITIONS)
    write_ratings(tmp_path / "ratings.csv", 2_000)
    return Workspace(tmp_path)


def edit(workspace, old, new):
    file = workspace.definitions / "all.toml"
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def ended_experiment(workspace):
    with Engine(workspace, start_worker=False, backends={"local": ScriptedBackend()}) as engine:
        number = engine.create(REQUEST).number
        with engine._database.write() as session:
            experiments.advance(session, experiments.track(session, number), "failed")
        yield engine, number


def test_plan_sees_an_edit_of_the_files(workspace):
    planner = WorkspacePlanner(workspace)
    assert planner.plan(REQUEST).params.learning_rate == 0.01
    edit(workspace, "learning_rate = 0.01", "learning_rate = 0.02")
    assert planner.plan(REQUEST).params.learning_rate == 0.02


def test_stored_definitions_give_the_same_plan(workspace):
    planner = WorkspacePlanner(workspace)
    plan = planner.plan(REQUEST)
    stored = json.loads(json.dumps(plan.definitions))
    assert planner.replan(REQUEST, stored) == plan


def test_rerun_ignores_edits_since(workspace, ended_experiment):
    engine, number = ended_experiment
    edit(workspace, 'preset = "minimal"', 'preset = "deep"')
    again = engine.rerun(number)
    assert again.definitions == engine.get(number).definitions
    assert engine.create(REQUEST).definitions != again.definitions


def test_rerun_works_when_the_files_are_gone(workspace, ended_experiment):
    engine, number = ended_experiment
    (workspace.definitions / "all.toml").unlink()
    assert engine.rerun(number, {"epochs": "5"}).params.epochs == 5
    with pytest.raises(NotFound, match="basic"):
        engine.create(REQUEST)


def test_rerun_checks_the_data_of_today(workspace, ended_experiment):
    engine, number = ended_experiment
    (workspace.root / "ratings.csv").unlink()
    with pytest.raises(InvalidInput, match=r"ratings\.csv"):
        engine.rerun(number)


@pytest.mark.parametrize("stored", [{}, {"feature_config": {"dataset": "ratings", "odd": 1}}])
def test_definitions_of_another_age_are_refused_in_a_sentence(workspace, stored):
    with pytest.raises(InvalidInput, match="no longer understood"):
        WorkspacePlanner(workspace).replan(REQUEST, stored)


def test_engine_offers_the_definitions(workspace, ended_experiment):
    engine, _ = ended_experiment
    assert list(engine.definitions().models) == ["small"]


SOURCE = """
[datasets.ratings.bigquery]
project = "shop"
dataset = "sales"
"""


def test_a_source_in_bigquery_that_came_later_is_read(workspace):
    planner = WorkspacePlanner(workspace)
    stored = planner.plan(REQUEST).definitions
    edit(workspace, "[features.basic]", SOURCE + "\n[features.basic]")
    edit(workspace, "[datasets.ratings]", '[datasets.ratings]\ndescription = "in the cloud too"')
    plan = planner.replan(REQUEST.replace(backend="vertex", upload_rows=True), stored)
    assert plan.examples.dialect == "bigquery"
    assert "`shop`.`sales`.`ratings`" in plan.examples.queries["train"]
    assert plan.definitions["dataset"]["bigquery"]["project"] == "shop"
    assert plan.source_note == plan.warnings[0]
    assert plan.source_note == (
        'Dataset "ratings" got its BigQuery source after the experiment ran; the rest of it is as'
        " it was."
    )
    assert planner.replan(REQUEST, stored).source_note == ""


def test_a_source_of_other_rows_is_not_read(workspace):
    planner = WorkspacePlanner(workspace)
    stored = planner.plan(REQUEST).definitions
    edit(workspace, "[features.basic]", SOURCE + "\n[features.basic]")
    edit(
        workspace,
        'primary = "ratings"',
        'primary = "ratings"\nfilters = [{ column = "rating", min = 2 }]',
    )
    told = (
        'The BigQuery source that dataset "ratings" has now isn\'t read: its filters changed as'
        " well since the experiment ran."
    )
    plan = planner.replan(REQUEST.replace(backend="vertex", upload_rows=True), stored)
    assert (plan.examples.dialect, plan.source_note) == ("duckdb", told)
    with pytest.raises(InvalidInput) as refused:
        planner.replan(REQUEST.replace(backend="vertex"), stored)
    assert refused.value.message == told


def test_a_source_that_the_experiment_ran_with_stays(workspace):
    planner = WorkspacePlanner(workspace)
    edit(workspace, "[features.basic]", SOURCE + "\n[features.basic]")
    stored = planner.plan(REQUEST).definitions
    edit(workspace, 'project = "shop"', 'project = "elsewhere"')
    plan = planner.replan(REQUEST.replace(backend="vertex"), stored)
    assert "`shop`.`sales`.`ratings`" in plan.examples.queries["train"]
    assert plan.source_note == ""


def test_a_plan_is_started_without_another_look_at_the_data(workspace):
    backends = {"local": ScriptedBackend()}
    with Engine(workspace, start_worker=False, backends=backends) as engine:
        plan = engine.plan(REQUEST)
        (workspace.root / "ratings.csv").unlink()
        started = engine.start(plan)
        assert (started.number, started.parent, started.rows) == (1, None, plan.rows)
