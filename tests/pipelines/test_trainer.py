"""Training and evaluation on a few rows in memory."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import Dense, RetrievalSettings, Tower
from engine.spec.run_folder import PROGRESS, TRAINING_LOG, EpochRecord, Progress
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.errors import RunFailure  # noqa: E402
from pipelines.evaluation import UNKNOWN, candidates_of  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402
from pipelines.recording import RunFolder  # noqa: E402
from pipelines.training import fit  # noqa: E402


def trained(folder, rows=50, **params):
    spec = small_spec(**params)
    train, validation = small_examples(rows), small_examples(10, seed=1, unknown=0.3)
    tf.keras.utils.set_random_seed(spec.params.seed)
    model = TwoTowerModel(spec, VOCABULARIES)
    return fit(model, spec, train, validation, candidates_of(train), RunFolder(str(folder)))


def test_a_line_is_written_for_every_epoch(tmp_path):
    recorder = trained(tmp_path, epochs=3)
    lines = (tmp_path / TRAINING_LOG).read_text().splitlines()
    records = [EpochRecord.model_validate_json(line) for line in lines]
    assert records == recorder.records
    assert [record.epoch for record in records] == [0, 1, 2]
    assert records[2].train_loss < records[0].train_loss
    assert recorder.loss().val == tuple(record.val_loss for record in records)


def test_progress_tells_epoch_and_step(tmp_path):
    trained(tmp_path, epochs=1)
    progress = Progress.model_validate_json((tmp_path / PROGRESS).read_bytes())
    assert (progress.phase, progress.epoch, progress.epochs, progress.steps) == (
        "training",
        1,
        1,
        4,
    )
    assert 1 <= progress.step <= 4


def test_the_last_partial_batch_is_trained_on_too(tmp_path):
    """50 rows in batches of 16 are 3 full batches and 2 rows: Adam counts 4 steps an epoch."""
    recorder = trained(tmp_path, epochs=2)
    assert int(recorder.model.optimizer.iterations) == 8


def test_a_batch_may_be_larger_than_the_data(tmp_path):
    recorder = trained(tmp_path, rows=40, epochs=1, batch_size=4096)
    assert int(recorder.model.optimizer.iterations) == 1


def test_equal_seeds_give_equal_losses(tmp_path):
    first, again, other = (
        trained(tmp_path / str(i), seed=seed).loss().train for i, seed in enumerate((3, 3, 4))
    )
    assert first == pytest.approx(again, abs=1e-6)
    assert first != pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("asked", [False, True])
def test_determinism_is_asked_of_tensorflow(asked):
    """In a process of its own: what is asked for holds for the rest of it."""
    code = (
        "from pipelines.training import seed_everything\n"
        "from tests.pipelines.small_examples import small_spec\n"
        f"seed_everything(small_spec(deterministic={asked}).params)\n"
        "from tensorflow.python.framework import config\n"
        "print(config.is_op_determinism_enabled())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.split()[-1] == str(asked)


def test_deterministic_runs_are_equal_bit_by_bit(tmp_path):
    code = (
        "from hashlib import sha256\n"
        "from pathlib import Path\n"
        "from pipelines.training import seed_everything\n"
        "from tests.pipelines.small_examples import small_spec\n"
        "from tests.pipelines.test_trainer import trained\n"
        "for i, seed in enumerate((3, 3, 4)):\n"
        "    asked = {'seed': seed, 'deterministic': True}\n"
        "    seed_everything(small_spec(**asked).params)\n"
        f"    recorder = trained(Path({str(tmp_path)!r}) / str(i), rows=2_000, **asked)\n"
        "    weights = b''.join(w.tobytes() for w in recorder.model.get_weights())\n"
        "    print(sha256(weights).hexdigest(), recorder.loss().val[-1].hex())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, again, other = told.stdout.splitlines()[-3:]
    assert first == again
    assert first != other


def test_weight_norms_are_those_of_the_weights(tmp_path):
    recorder = trained(tmp_path, epochs=2)
    weights = np.concatenate(
        [v.numpy().ravel() for v in recorder.model.query_tower.trainable_variables]
    )
    norms = recorder.weights()["query"]
    assert norms.l1[-1] == pytest.approx(np.abs(weights).sum(), rel=1e-5)
    assert norms.l2[-1] == pytest.approx(np.linalg.norm(weights), rel=1e-5)


def test_a_loss_that_is_no_number_ends_the_run_at_once(tmp_path):
    spec = small_spec()
    train = small_examples(50)
    train.candidate.values[7] = math.nan
    model = TwoTowerModel(spec, VOCABULARIES)
    with pytest.raises(RunFailure, match="not a finite number in epoch 1") as failure:
        fit(model, spec, train, train, candidates_of(train), RunFolder(str(tmp_path)))
    assert failure.value.hint == (
        "Try a lower learning rate than 0.01. If it happens in epoch 1, look for extreme numeric"
        " values."
    )
    assert not (tmp_path / TRAINING_LOG).exists()


def test_a_loss_that_explodes_names_its_epoch_and_trains_no_further(tmp_path):
    """Outputs without normalization and a learning rate of 1 square up within a few steps."""
    spec = small_spec(
        tower=Tower(layers=(Dense(units=64, activation="linear"),) * 3),
        retrieval=RetrievalSettings(normalize=False, temperature=0.01),
        model={"optimizer": "sgd"}, epochs=50, learning_rate=1,
    )  # fmt: skip
    train = small_examples(200)
    model = TwoTowerModel(spec, VOCABULARIES)
    with pytest.raises(RunFailure, match=r"The .* was not a finite number in epoch \d+") as failure:
        fit(model, spec, train, train, candidates_of(train), RunFolder(str(tmp_path)))
    assert "normalize = true" in failure.value.hint
    log = tmp_path / TRAINING_LOG
    epochs = len(log.read_text().splitlines()) if log.exists() else 0
    assert f"in epoch {epochs + 1}." in failure.value.message
    assert epochs < 49


def test_candidates_have_the_features_of_their_latest_row():
    train = small_examples(6)._replace(
        product=np.array([b"x", b"y", b"x", b"x", b"y", b"z"], object),
        timestamp=np.array([5, 1, 9, 2, 1, 0]),
    )
    candidates = candidates_of(train)
    assert candidates.ids.tolist() == [b"x", b"y", b"z"]
    assert candidates.counts.tolist() == [3, 2, 1]
    assert candidates.latest.tolist() == [2, 4, 5]
    assert candidates.index_of(np.array([b"z", b"?", b"x"], object)).tolist() == [2, UNKNOWN, 0]
    shares = candidates.probability_of(np.array([b"x", b"?"], object))
    np.testing.assert_allclose(shares, [1 / 2, 1 / 6])
    np.testing.assert_allclose(candidates.log_probability, np.log([1 / 2, 1 / 3, 1 / 6]), rtol=1e-6)


def test_a_run_folder_is_replaced_whole(tmp_path):
    folder = RunFolder(str(tmp_path / "run"))
    folder.progress("loading")
    folder.progress("evaluating")
    (file,) = (tmp_path / "run").iterdir()
    assert json.loads(file.read_text())["phase"] == "evaluating"
