"""`Engine`: what commands and screens get from it."""

import json
import threading

import pytest

from engine.api import Engine
from engine.errors import EnvironmentNotReady, InvalidInput, NotAllowed, NotFound
from engine.experiments import ExperimentService
from engine.lease import Lease
from engine.scheduling import Scheduler
from engine.spec.run_folder import LogEntry
from engine.store import open_database
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import (
    START,
    ended,
    epoch_records,
    failure,
    metrics_of,
    training,
)


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "config.toml").touch()
    return Workspace(tmp_path)


@pytest.fixture
def engine(workspace, backend):
    with Engine(
        workspace, start_worker=False, backends={"local": backend}, planner=SamplePlanner()
    ) as engine:
        yield engine


@pytest.fixture
def tick(engine, workspace, backend):
    """Do what the worker would do now."""
    backend.poll_seconds = 0.0
    database = open_database(workspace.database_url)
    service = ExperimentService(
        database, {"local": backend}, SamplePlanner(), workspace.cache, Lease.take(database)
    )
    yield Scheduler(database, {"local": backend}, service).tick
    database.close()


def uid_of_last(backend):
    return backend.submissions[-1].uid


def test_completed_experiment_prints_the_object_of_show(engine, tick, backend):
    request = REQUEST.replace(name="First", description="a try", tags=("x",), hardware="small")
    number = engine.create(request).number
    tick()
    backend.results[uid_of_last(backend)] = metrics_of(recall=0.2, popularity=0.15)
    backend.put(uid_of_last(backend), ended("completed"))
    tick()
    shown = json.loads(json.dumps(engine.get(number).model_dump(mode="json"), allow_nan=False))
    uid = shown.pop("uid")
    created_at = shown.pop("created_at")
    assert uid == uid_of_last(backend)
    assert created_at.endswith("Z")
    (verdict,) = shown.pop("verdicts")
    assert "above popularity's" in verdict
    train = shown["components"][4]
    assert train == {
        "name": "Train",
        "status": "completed",
        "started_at": "2026-11-23T12:00:04Z",
        "ended_at": "2026-11-23T12:00:05Z",
        "duration_seconds": 1.0,
        "cached": False,
    }
    names = [component["name"] for component in shown.pop("components")]
    assert names == ["Examples", "Stats", "Schema", "Transform", "Train"]
    difference = shown["baseline"].pop("difference")
    assert (difference["metric"], difference["low"], difference["high"]) == (
        "recall_at_100",
        0.03,
        0.07,
    )
    nulls = dict.fromkeys(
        (
            "new_recall_at_100",
            "ndcg_at_10",
            "catalogue_coverage",
            "rmse",
            "mae",
            "test_rmse",
            "test_mae",
            "auc_roc",
        )
    )
    feature = {
        "data_type": "text",
        "transforms": ["embed"],
        "buckets": None,
        "max_length": None,
        "vocabulary": None,
        "primary": True,
    }
    assert shown == {
        "number": 1,
        "name": "First",
        "description": "a try",
        "tags": ["x"],
        "status": "completed",
        "stage": None,
        "progress": 1.0,
        "model_type": "retrieval",
        "primary_metric": "recall_at_100",
        "backend": "local",
        "dataset": "ratings",
        "feature_config": "basic",
        "model_config": "retrieval-small",
        "epochs_trained": 3,
        "params": {
            "sample_percent": 10.0,
            "sample_by": "buyer",
            "split": {
                "kind": "random",
                "holdout_days": None,
                "train_days": None,
                "val_days": None,
                "test_days": None,
            },
            "split_seed": 0,
            "epochs": 3,
            "batch_size": 256,
            "learning_rate": 0.01,
            "seed": 0,
            "machine_type": None,
            "early_stopping": None,
            "deterministic": False,
            "optimizer": "adam",
            "hardware": "small",
        },
        "metrics": {
            "loss": 7.5,
            "recall_at_5": 0.05,
            "recall_at_10": 0.08,
            "recall_at_50": 0.16,
            "recall_at_100": 0.2,
            **nulls,
        },
        "baseline": {
            "name": "popularity",
            "recall_at_5": None,
            "recall_at_10": None,
            "recall_at_50": None,
            "recall_at_100": 0.15,
            "new_recall_at_100": None,
            "ndcg_at_10": None,
            "test_rmse": None,
            "test_mae": None,
        },
        "interval": {
            "metric": "recall_at_100",
            "value": 0.2,
            "low": 0.19,
            "high": pytest.approx(0.21),
            "level": 0.95,
        },
        "references": {},
        "seen_in_train": {"pairs": 0.4, "buyers": 0.9, "products": 0.75, "candidates": 120},
        "rows": {"train": 801, "eval": 149, "test": 500},
        "rows_without_target": None,
        "index": None,
        "started_at": "2026-11-23T12:00:00Z",
        "ended_at": "2026-11-23T12:01:00Z",
        "duration_seconds": 60.0,
        "error": None,
        "parent": None,
        "definitions": {
            "hashes": {"dataset": "d1", "feature_config": "f1", "model_config": "m1"},
            "buyer": {
                "tensor_dim": 16,
                "features": [{"column": "user", "dim": 16, "tensor_dim": 16, **feature}],
                "structure": "64→32",
            },
            "product": {
                "tensor_dim": 33,
                "features": [
                    {"column": "item", "dim": 32, "tensor_dim": 32, **feature},
                    {
                        "column": "price",
                        "data_type": "numeric",
                        "transforms": ["normalize"],
                        "tensor_dim": 1,
                        "dim": None,
                        "buckets": None,
                        "max_length": None,
                        "vocabulary": None,
                        "primary": False,
                    },
                ],
                "structure": "128→64→32",
            },
        },
        "cloud": {"build_id": None, "pipeline_job_name": None},
        "artifacts_uri": f"memory://{uid}",
    }


def test_new_experiment_has_null_where_nothing_applies_yet(engine):
    shown = engine.create(REQUEST).model_dump(mode="json")
    assert (shown["status"], shown["stage"], shown["progress"]) == ("submitting", "Queued", 0.0)
    absent = ("baseline", "interval", "seen_in_train", "error", "parent", "started_at", "ended_at")
    assert {shown[name] for name in (*absent, "duration_seconds", "artifacts_uri")} == {None}
    assert set(shown["metrics"].values()) == {None}
    assert [c["status"] for c in shown["components"]] == ["pending"] * 5


def test_failed_experiment_shows_its_reason(engine, tick, backend):
    number = engine.create(REQUEST).number
    tick()
    backend.put(uid_of_last(backend), ended("failed", error=failure()))
    tick()
    assert engine.get(number).model_dump(mode="json")["error"] == {
        "component": "Train",
        "message": "The Trainer ran out of memory.",
        "hint": "Use a smaller batch.",
    }


def test_intents_show_beside_the_status(engine, tick, backend):
    number = engine.create(REQUEST).number
    tick()
    assert engine.get(number).intent is None
    assert engine.cancel(number).intent == "cancelling"
    engine.delete(number)
    assert engine.get(number).intent == "deleting"
    backend.put(uid_of_last(backend), ended("cancelled"))
    tick()
    tick()
    with pytest.raises(NotFound, match=f"#{number}"):
        engine.get(number)


def test_history_grows_while_the_run_trains(engine, tick, backend):
    number = engine.create(REQUEST).number
    assert engine.history(number) is None
    tick()
    backend.trained[uid_of_last(backend)] = epoch_records(2)
    backend.put(uid_of_last(backend), training(3, 3, step=2, steps=3))
    tick()
    assert engine.history(number).epochs == (0, 1)
    assert engine.get(number).stage == "Train, epoch 3 of 3"
    with pytest.raises(NotFound):
        engine.history(99)


def test_rerun_takes_changes(engine, tick, backend):
    number = engine.create(REQUEST).number
    with pytest.raises(NotAllowed):
        engine.rerun(number)
    tick()
    backend.put(uid_of_last(backend), ended("completed"))
    tick()
    again = engine.rerun(number, {"learning_rate": "0.005"})
    assert (again.parent, again.params.learning_rate, again.status) == (number, 0.005, "submitting")
    with pytest.raises(InvalidInput):
        engine.rerun(number, {"nonsense": "1"})


def test_logs_name_their_component(engine, tick, backend):
    number = engine.create(REQUEST).number
    tick()
    entry = LogEntry(timestamp=START, severity="WARNING", message="slow")
    backend.log_entries[uid_of_last(backend), "Train"] = [entry]
    (line,) = engine.logs(number, "trainer")
    assert (line.component, line.severity, line.message) == ("Train", "WARNING", "slow")
    assert engine.logs(number) == (line,)
    with pytest.raises(NotFound):
        engine.logs(number, "Pusher")
    with pytest.raises(NotFound):
        engine.logs(99)


def test_list_pages_and_filters(engine):
    for name in ("first", "second", "third"):
        engine.create(REQUEST.replace(name=name))
    listed = engine.list_experiments(limit=2)
    assert ([e.name for e in listed.items], listed.total) == (["third", "second"], 3)
    assert engine.list_experiments(search="fir").total == 1
    assert engine.list_experiments(status="completed").total == 0


def test_plan_stores_nothing(engine):
    assert engine.plan(REQUEST).dataset == "ratings"
    assert engine.list_experiments().total == 0


def test_worker_status_tells_that_nobody_works(engine):
    engine.create(REQUEST)
    status = engine.worker_status()
    assert (status.alive, status.pid, status.active) == (False, None, 1)


def test_full_disk_refuses_a_new_experiment_in_one_sentence(engine, workspace):
    engine.create(REQUEST)
    with engine._database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def create_many():
        for _ in range(100):
            engine.create(REQUEST.replace(description="x" * 10_000))

    with pytest.raises(EnvironmentNotReady, match="disk is full"):
        create_many()
    assert engine.get(1).status == "submitting"


def test_two_engines_and_eight_writers_lose_nothing(workspace, backend):
    engines = [
        Engine(workspace, start_worker=False, backends={"local": backend}, planner=SamplePlanner())
        for _ in range(2)
    ]
    numbers, errors = [], []

    def write(engine, writer):
        try:
            for i in range(10):
                number = engine.create(REQUEST.replace(name=f"{writer}-{i}")).number
                numbers.append(number)
                if i % 3 == 0:
                    engine.cancel(number)
                if i % 5 == 0:
                    engine.delete(number)
                engine.list_experiments(search=f"{writer}-{i}")
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(engines[w % 2], w)) for w in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(numbers) == list(range(1, 81))
    page = engines[0].list_experiments(limit=100)
    assert page.total == 80
    assert sum(e.intent == "deleting" for e in page.items) == 16
    assert sum(e.intent == "cancelling" for e in page.items) == 24
    for engine in engines:
        engine.close()
