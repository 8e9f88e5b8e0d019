"""The real pipeline through the local backend: warm and cold, states, cache, ML Metadata."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engine.backends.local import LocalBackend
from engine.backends.run_reading import read_supervisor
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    HISTOGRAMS,
    SCHEMA_FILE,
    STATISTICS_FILES,
    Histograms,
)
from engine.statistics import read_statistics
from engine.workspace import Workspace
from pipelines.cache import open_metadata
from tests.contracts.backend_contract import ENDED
from tests.contracts.local_workspace import kill_all, standin_workspace
from tests.faults.waiting import wait_for
from tests.pipelines.following import Run, follow
from tests.pipelines.grocery_spec import grocery_spec
from tests.sample_data import write_groceries

pytestmark = pytest.mark.pipeline

WARM_SECONDS, COLD_SECONDS = 5, 45
"""From submission to the start of Train, when everything before it is cached."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("local-run")
    workspace = standin_workspace(root, warm_runner=True, module="pipelines.run_local")
    write_groceries(root / "data")
    yield workspace
    kill_all(workspace)


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Run:
    """The first run of a workspace; it waits for the warm runner's imports."""
    return follow(workspace, grocery_spec(workspace.root / "data", uid="0" * 32, epochs=60))


@pytest.fixture(scope="module")
def rerun(workspace: Workspace, first: Run) -> Run:
    """A rerun with another learning rate."""
    spec = grocery_spec(workspace.root / "data", uid="1" * 32, learning_rate=0.02)
    return follow(workspace, spec)


def test_a_run_completes_and_leaves_what_it_promised(workspace: Workspace, first: Run):
    assert first.cached == [False] * 5
    folder = workspace.run_folder(first.spec.uid)
    backend = LocalBackend(workspace)
    metrics = backend.metrics(first.spec.uid)
    assert metrics is not None
    assert metrics.rows.train > 2_000
    assert len(backend.epochs(first.spec.uid)) == 60
    measured = backend.artifact(first.spec.uid, STATISTICS_FILES["train"])
    schema = backend.artifact(first.spec.uid, SCHEMA_FILE)
    assert measured is not None
    statistics = read_statistics({"train": measured}, schema)
    assert statistics.splits["train"].rows == metrics.rows.train
    assert "household_id" in {feature.name for feature in statistics.schema_features}
    histograms = backend.artifact(first.spec.uid, HISTOGRAMS)
    assert histograms is not None
    assert len(histograms) < 300_000
    kept = Histograms.model_validate_json(histograms).epochs
    assert kept == (*range(0, 60, 5), 59)
    assert "78" in (folder / "vocabularies" / "household_id").read_text().split()
    messages = [entry.message for entry in backend.logs(first.spec.uid, "Train", limit=500)]
    assert messages[0].startswith("Train ends after")
    assert messages[-1] == "Train starts"
    assert "WARNING" not in {entry.severity for entry in backend.logs(first.spec.uid, "Transform")}


def test_looks_at_a_run_show_components_that_change_and_an_epoch_that_rises(first: Run):
    states = [tuple(state.status for state in look.components) for look in first.looks]
    assert len(set(states)) >= 6
    progress = [look.progress for look in first.looks if look.progress]
    epochs = [now.epoch for now in progress if now.phase == "training"]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) >= 3
    assert len({now.phase for now in progress}) >= 3


def test_a_rerun_with_another_learning_rate_goes_straight_to_train(rerun: Run):
    assert rerun.cached == [True, True, True, True, False]
    assert rerun.seconds_to("Train") < WARM_SECONDS


def test_a_rerun_says_where_the_cached_outputs_are(first: Run, rerun: Run):
    for before, after in zip(first.end.components[:4], rerun.end.components[:4], strict=True):
        assert before.outputs == after.outputs
        assert all(Path(uri).is_dir() for uris in after.outputs.values() for uri in uris)
    assert first.end.components[4].outputs != rerun.end.components[4].outputs


def test_a_rerun_came_out_of_the_warm_runner(workspace: Workspace, rerun: Run):
    supervisor = read_supervisor(workspace.run_folder(rerun.spec.uid))
    assert supervisor is not None
    assert supervisor.warm


def test_the_trainers_outputs_belong_to_the_run(workspace: Workspace, rerun: Run):
    folder = workspace.run_folder(rerun.spec.uid)
    [model] = rerun.end.components[4].outputs["model"]
    assert Path(model).is_relative_to(folder)
    assert list(Path(model).rglob("saved_model.pb"))
    assert not (workspace.cache / "Trainer").exists()


def test_ml_metadata_holds_the_executions_of_each_run(workspace: Workspace, rerun: Run):
    store = open_metadata(workspace.cache / "metadata.db")
    for uid, cached in (("0" * 32, 0), ("1" * 32, 4)):
        [context] = [c for c in store.get_contexts_by_type("pipeline_run") if uid in c.name]
        states = [e.last_known_state for e in store.get_executions_by_context(context.id)]
        assert states.count(mlmd.Execution.CACHED) == cached
        assert states.count(mlmd.Execution.COMPLETE) == len(COMPONENT_NAMES) - cached


def test_a_cold_rerun_trains_soon_enough_and_forks_repeat(workspace: Workspace, rerun: Run):
    kill_all(workspace)
    cold = standin_workspace(workspace.root, warm_runner=False, module="pipelines.run_local")
    run = follow(cold, grocery_spec(workspace.root / "data", uid="2" * 32, learning_rate=0.02))
    assert run.cached == [True, True, True, True, False]
    assert run.seconds_to("Train") < COLD_SECONDS
    metrics = [LocalBackend(workspace).metrics(uid * 32) for uid in "12"]
    assert metrics[0] is not None
    assert metrics[1] is not None
    assert metrics[0].final_metrics == pytest.approx(metrics[1].final_metrics, rel=1e-4)


def test_damaged_outputs_are_made_again(workspace: Workspace, rerun: Run):
    [examples] = rerun.end.components[0].outputs["examples"]
    shutil.rmtree(Path(examples) / "Split-eval")
    run = follow(workspace, grocery_spec(workspace.root / "data", uid="3" * 32))
    assert run.cached[0] is False
    assert run.end.components[0].outputs["examples"] != (examples,)


def test_a_source_that_is_gone_fails_the_first_component_in_a_sentence(
    workspace: Workspace, first: Run
):
    spec = grocery_spec(workspace.root / "nowhere", uid="4" * 32)
    backend = LocalBackend(workspace)
    deadline = time.monotonic() + 120

    def ended() -> bool:
        backend.submit(spec)
        return backend.status(spec.uid).phase in ENDED or time.monotonic() > deadline

    wait_for(ended, seconds=130)
    status = backend.status(spec.uid)
    assert status.phase == "failed"
    assert status.error is not None
    assert status.error.component == "Examples"
    assert "nowhere/transactions.parquet" in status.error.message
    assert [state.status for state in status.components] == ["failed", *["pending"] * 4]
    [newest, *_] = backend.logs(spec.uid, "Examples", limit=1)
    assert newest.severity == "ERROR"
    assert newest.message.startswith("Examples failed: ")
