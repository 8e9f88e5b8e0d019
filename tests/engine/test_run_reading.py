"""Files of the Trainer in a run folder: what isn't believed is left out, and said."""

import json
import os
from functools import partial

import pytest

from engine.backends.run_reading import (
    METRICS_LIMIT,
    TAIL_LIMIT,
    flaw,
    read_epochs,
    read_metrics,
    read_progress,
)
from engine.experiments import ExperimentService
from engine.spec.run_folder import PROGRESS, TRAINING_LOG, TRAINING_METRICS, Progress
from engine.store.models import ExperimentRow
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import (
    START,
    ScriptedBackend,
    ended,
    epoch_records,
    metrics_of,
    training,
)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    made.mkdir()
    return made


def lines_of(records):
    return "".join(record.model_dump_json() + "\n" for record in records)


def test_no_file_has_no_flaw(folder):
    for name in (PROGRESS, TRAINING_LOG, TRAINING_METRICS):
        assert flaw(folder, name) is None


def test_files_as_runs_write_them_have_no_flaw(folder):
    (folder / TRAINING_LOG).write_text(lines_of(epoch_records(3)) + '{"epoch": 3, "train_lo')
    (folder / TRAINING_METRICS).write_text(metrics_of(3).model_dump_json(indent=1))
    progress = Progress(phase="training", epoch=1, epochs=3, step=9, steps=30, updated_at=START)
    (folder / PROGRESS).write_text(progress.model_dump_json())
    assert read_epochs(folder) == epoch_records(3)
    assert read_metrics(folder) == metrics_of(3)
    assert read_progress(folder) == progress
    for name in (PROGRESS, TRAINING_LOG, TRAINING_METRICS):
        assert flaw(folder, name) is None


def test_a_flaw_names_the_file_and_the_field(folder):
    nonsense = metrics_of(3, recall=7).model_dump_json()
    (folder / TRAINING_METRICS).write_text(nonsense)
    assert read_metrics(folder) is None
    assert flaw(folder, TRAINING_METRICS) == (
        "training_metrics.json can't be believed: final_metrics.recall_at_100 is 7, but a share is"
        " between 0 and 1."
    )
    (folder / PROGRESS).write_text('{"phase": "training", "epoch": 4, "epochs": 3}')
    assert read_progress(folder) is None
    assert flaw(folder, PROGRESS) == "progress.json can't be believed: updated_at is missing."


def test_lines_of_the_log_that_are_not_believed_are_left_out(folder):
    first, second, third = epoch_records(3)
    hostile = second.replace(train_loss=1e308)
    (folder / TRAINING_LOG).write_text(lines_of([first, hostile, third]))
    assert [record.epoch for record in read_epochs(folder)] == [0, 2]
    assert flaw(folder, TRAINING_LOG) == (
        "training_log.jsonl can't be believed: line 2: train_loss is 1e+308, but no model computes"
        " such a number."
    )


def test_epochs_that_go_back_are_left_out(folder):
    first, second, third = epoch_records(3)
    (folder / TRAINING_LOG).write_text(lines_of([first, third, second, third]))
    assert [record.epoch for record in read_epochs(folder)] == [0, 2]
    assert "epoch 1 comes after epoch 2" in flaw(folder, TRAINING_LOG)


def test_a_file_of_a_hundred_megabytes_is_told_without_being_read(folder):
    for name in (TRAINING_METRICS, TRAINING_LOG):
        (folder / name).touch()
        os.truncate(folder / name, 100_000_000)  # takes no space on the disk
    assert read_metrics(folder) is None
    assert flaw(folder, TRAINING_METRICS) == (
        "training_metrics.json can't be believed: its size is 100.0 MB, and at most 16.0 MB are"
        " read."
    )
    assert read_epochs(folder) == []
    assert "it is no valid JSON" in flaw(folder, TRAINING_LOG)


def test_the_end_of_a_long_log_is_read(folder):
    (last,) = epoch_records(4)[3:]
    with (folder / TRAINING_LOG).open("w") as file:
        file.write("x" * TAIL_LIMIT + "\n" + lines_of([last]))
    assert read_epochs(folder) == [last]
    assert flaw(folder, TRAINING_LOG) is None


@pytest.mark.parametrize("value", [b"0,", b'"a",', b"[],", b"1e5,"])
def test_the_largest_file_is_refused_before_it_is_parsed(folder, value):
    content = b'{"epochs": [' + value * (METRICS_LIMIT // len(value) - 10) + b"0]}"
    (folder / TRAINING_METRICS).write_bytes(content)
    assert "it has more than 1,000,000 values" in flaw(folder, TRAINING_METRICS)


class _Folders(ScriptedBackend):
    """Reads what the Trainer wrote as the real backends do."""

    def __init__(self, runs):
        super().__init__()
        self.metrics = lambda uid: read_metrics(runs / uid)
        self.epochs = lambda uid: read_epochs(runs / uid)
        self.flaw = lambda uid, name: flaw(runs / uid, name)


def _hostile():
    """Return files that are well-formed and can't be true."""
    content = json.loads(metrics_of(3).model_dump_json())
    yield b'{"final_metrics": ' + b'{"a":' * 500 + b"1" + b"}" * 501
    for change in (
        {"rows": {"train": 10**30, "eval": 1, "test": 500}},
        {"final_metrics": content["final_metrics"] | {"recall_at_100": -1}},
        {"final_metrics": {"\x1b[31m[red]x[/]": 1e308}},
        {"interval": content["interval"] | {"low": 1, "high": 0}},
        {"loss": content["loss"] | {"val": [1]}},
        {"stopped_early": True, "params": {}},
        {"best_epoch": 10**6},
        {"new_products": {"rows": 3, "metrics": {}, "popularity": {}}},
        {"epochs": [], "loss": {"train": [], "val": [], "total": []}},
        {"references": [content["baseline"]]},
        {"candidates": "120"},
    ):
        yield json.dumps(content | change).encode()
    yield json.dumps(content).replace('"rows": {', '"rows": {"test": 1, ').encode()


@pytest.mark.parametrize("content", list(_hostile()))
def test_a_run_that_leaves_a_hostile_result_has_failed_and_says_why(
    database, planner, cache, tmp_path, content
):
    backend = _Folders(tmp_path)
    service = ExperimentService(database, {"local": backend}, planner, cache)
    number = service.create_quick_test(REQUEST)

    def row():
        with database.read() as session:
            found = session.get_one(ExperimentRow, number)
            session.expunge(found)
            return found

    service.submit_quick_test(number)
    look = partial(service.poll_experiment_status, number)
    folder = tmp_path / row().uid
    folder.mkdir()
    (folder / TRAINING_LOG).write_text(lines_of(epoch_records(3)) + '{"epoch": "x"}\n')
    backend.put(row().uid, training(1, 3, step=1, steps=9))
    look()
    assert row().status == "running"
    assert row().error_message.startswith("training_log.jsonl can't be believed: line 4: ")
    (folder / TRAINING_METRICS).write_bytes(content)
    backend.put(row().uid, ended("completed"))
    look()
    found = row()
    assert (found.status, found.error_component) == ("failed", "Train")
    assert found.error_message.startswith("training_metrics.json can't be believed: ")
    assert found.error_message.isprintable()
    assert found.recall_at_100 is None
    assert service._histories.get_cached_history(number).epochs == (0, 1, 2)
