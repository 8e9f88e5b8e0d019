"""The run folder on this machine, and in Cloud Storage as a local server speaks its protocol."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf

from engine.spec.run_folder import PROGRESS, TRAINING_LOG, EpochRecord, Progress
from pipelines.recording import RunFolder
from tests.cloud.gcs_server import serve
from tests.faults.standin import standin_histograms, standin_metrics

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gs:// prefix that TensorFlow reaches from this process."""
    with (
        pytest.MonkeyPatch.context() as patch,
        serve(tmp_path_factory.mktemp("s"), "bucket") as bucket,
    ):
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        yield "gs://bucket"


@pytest.fixture(params=["here", "there"])
def path(request: pytest.FixtureRequest, tmp_path: Path, store: str) -> str:
    return str(tmp_path / "run") if request.param == "here" else f"{store}{tmp_path}/run"


def content(path: str, name: str) -> str:
    with tf.io.gfile.GFile(f"{path}/{name}") as file:
        return file.read()


def record(epoch: int) -> EpochRecord:
    losses = dict.fromkeys(
        ("train_loss", "val_loss", "total_loss", "gradient_norm", "gradient_norm_query",
         "gradient_norm_candidate", "examples_per_second"), 1.0,
    )  # fmt: skip
    return EpochRecord(epoch=epoch, ended_at=datetime.now(UTC), **losses)


def test_epochs_are_added_line_by_line(path: str):
    folder = RunFolder(path)
    folder.append_epoch(record(0))
    folder.append_epoch(record(1))
    lines = content(path, TRAINING_LOG).splitlines()
    assert [EpochRecord.model_validate_json(line).epoch for line in lines] == [0, 1]


def test_another_attempt_finds_nothing_of_the_first(path: str):
    folder = RunFolder(path)
    folder.progress("training")
    folder.append_epoch(record(0))
    folder.write_histograms(standin_histograms(1))
    folder.write_metrics(standin_metrics(1))
    folder.write_test_rows(pa.table({"row_key": [1]}))
    assert len(tf.io.gfile.listdir(path)) == 5
    RunFolder(path).clear()
    assert not tf.io.gfile.glob(f"{path}/*")


def test_no_draft_is_left(path: str):
    folder = RunFolder(path)
    folder.progress("loading")
    folder.progress("training", epoch=1)
    assert tf.io.gfile.listdir(path) == [PROGRESS]


def test_progress_is_written_every_second_here_and_every_ten_seconds_there(path: str):
    now = [0.0]
    folder = RunFolder(path, clock=lambda: now[0])
    seen = []
    for step in range(25):
        now[0] = step * 1.0
        folder.progress("training", step=step)
        seen.append(Progress.model_validate_json(content(path, PROGRESS)).step)
    assert seen == ([*range(25)] if "://" not in path else [*[0] * 10, *[10] * 10, *[20] * 5])


def test_another_phase_is_written_at_once(path: str):
    folder = RunFolder(path, clock=lambda: 0.0)
    folder.progress("training")
    folder.progress("evaluating")
    assert Progress.model_validate_json(content(path, PROGRESS)).phase == "evaluating"
