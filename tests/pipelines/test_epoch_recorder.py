"""What is recorded of each epoch, worked out by hand on two layers with known weights."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec.run_folder import HISTOGRAMS, TRAINING_LOG, EpochRecord, Histograms
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.epoch_recorder import EpochRecorder, weights_by_layer  # noqa: E402
from pipelines.errors import RunFailure  # noqa: E402
from pipelines.evaluation import candidates_of  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402
from pipelines.recording import RunFolder  # noqa: E402
from pipelines.training import fit  # noqa: E402

LOGS = {
    "loss": 2.0,
    "total_loss": 2.5,
    "val_loss": 3.0,
    "gradient": 5.0,
    "gradient_query": 3.0,
    "gradient_candidate": 4.0,
}


def dense(*weights):
    layer = tf.keras.layers.Dense(len(weights), use_bias=False, name="output")
    layer.build([None, 1])
    layer.set_weights([np.array([weights], np.float32)])
    return layer


def recorder_of(folder, towers, **options):
    return EpochRecorder(
        RunFolder(str(folder)), towers, rows=10, steps_per_epoch=1, epochs=2, **options
    )


def test_norms_and_bins_are_those_of_the_weights_after_each_epoch(tmp_path):
    tower = dense(3, -4)
    recorder = recorder_of(tmp_path, {"rating": tower})
    recorder.on_epoch_end(0, LOGS)
    tower.set_weights([np.array([[0, 1]], np.float32)])
    recorder.on_epoch_end(1, LOGS)
    norms = recorder.weights()["rating"]
    assert (norms.l1, norms.l2) == ((7.0, 1.0), (5.0, 1.0))
    rating = recorder.histograms().towers["rating"]
    assert rating.weights == rating.layers["output"]
    edges = np.array(rating.weights.edges)
    for counts, values in zip(rating.weights.counts, ((3, -4), (0, 1)), strict=True):
        assert list(counts) == np.histogram(values, edges)[0].tolist()
    assert recorder.gradient_stats() == {}


def test_the_gradient_is_asked_for_once_an_epoch(tmp_path):
    gradients = iter([{"query": [np.array([1.0, 3.0])]}, {"query": [np.array([[-2.0]])]}])
    recorder = recorder_of(tmp_path, {"query": dense(1)}, gradients=lambda: next(gradients))
    for epoch in (0, 1):
        recorder.on_epoch_end(epoch, LOGS)
    stats = recorder.gradient_stats()["query"]
    assert (stats.mean, stats.std) == ((2.0, -2.0), (1.0, 0.0))
    assert (stats.minimum, stats.maximum) == ((1.0, -2.0), (3.0, -2.0))
    counts = recorder.histograms().towers["query"].gradients.counts
    assert [sum(row) for row in counts] == [2, 1]


def test_whatever_else_keras_tells_is_kept(tmp_path):
    recorder = recorder_of(tmp_path, {"query": dense(1)})
    recorder.on_epoch_end(0, {**LOGS, "val_rmse": 0.5, "val_auc": math.nan})
    recorder.on_epoch_end(1, {**LOGS, "val_rmse": np.float32(0.25), "val_auc": 0.75})
    assert recorder.records[0].metrics == {"val_rmse": 0.5}
    lines = (tmp_path / TRAINING_LOG).read_text().splitlines()
    assert EpochRecord.model_validate_json(lines[1]).metrics == {"val_rmse": 0.25, "val_auc": 0.75}
    assert recorder.epoch_metrics() == {"val_rmse": (0.5, 0.25)}  # auc lacks an epoch


def test_a_gradient_that_is_no_number_ends_the_run(tmp_path):
    recorder = recorder_of(tmp_path, {"query": dense(1)})
    with pytest.raises(RunFailure, match="The gradient was not a finite number in epoch 1"):
        recorder.on_epoch_end(0, {**LOGS, "gradient": math.inf})


def test_weights_that_are_no_numbers_end_the_run(tmp_path):
    recorder = recorder_of(tmp_path, {"query": dense(math.inf)})
    with pytest.raises(RunFailure, match="norm of the weights was not a finite number in epoch 1"):
        recorder.on_epoch_end(0, LOGS)


def test_layers_are_named_within_their_tower():
    first, second = (tf.keras.layers.Dense(1, name=f"dense_{i}") for i in (7, 8))
    named = tf.keras.layers.Dense(1, name="age_2")
    tower = tf.keras.Sequential([first, second, named], name="query")
    tower.build([None, 1])
    found = weights_by_layer(tower)
    assert list(found) == ["dense", "dense 2", "age_2"]
    assert [len(part) for part in found["dense"]] == [1, 1]  # kernel and bias


def test_the_gradient_of_a_batch_leaves_the_model_as_it_was_and_sums_duplicates():
    tf.keras.utils.set_random_seed(1)
    model = TwoTowerModel(small_spec(), VOCABULARIES)
    examples = small_examples(16)
    batch = {
        "query": examples.query,
        "candidate": examples.candidate,
        "probability": np.full(16, 0.1, np.float32),
        "product": examples.candidate.ids[:, 1],
        "label": np.full(16, np.nan, np.float32),
    }
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    table = model.query_tower.trainable_variables[0]
    dense_gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    before = [weights.numpy() for weights in model.trainable_variables]
    found = model.gradients(batch)
    buyers = list(dict.fromkeys(examples.query.ids[:, 0]))
    np.testing.assert_allclose(found["query"][0], dense_gradient[buyers], atol=1e-7)
    assert len(found["candidate"]) == len(model.candidate_tower.trainable_variables)
    for was, weights in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(was, weights.numpy())


def test_a_training_leaves_histograms_of_all_its_epochs(tmp_path):
    spec, train = small_spec(epochs=2), small_examples(50)
    model = TwoTowerModel(spec, VOCABULARIES)
    folder = RunFolder(str(tmp_path))
    recorder = fit(model, spec, train, small_examples(10), candidates_of(train), folder)
    folder.write_histograms(recorder.histograms())
    found = Histograms.model_validate_json((tmp_path / HISTOGRAMS).read_bytes())
    assert found.epochs == (0, 1)
    assert list(found.towers) == ["query", "candidate"]
    for tower, layer in (("query", model.query_tower), ("candidate", model.candidate_tower)):
        weights = sum(int(tf.size(v)) for v in layer.trainable_variables)
        histograms = found.towers[tower]
        assert {sum(row) for row in histograms.weights.counts} == {weights}
        totals = {sum(h.counts[1]) for h in histograms.layers.values()}
        assert sum(sum(h.counts[1]) for h in histograms.layers.values()) == weights, totals
        assert sum(histograms.gradients.counts[1]) > 0
        assert recorder.gradient_stats()[tower].std[1] > 0
