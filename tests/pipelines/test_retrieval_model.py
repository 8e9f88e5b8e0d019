"""The model against values computed by hand, one option at a time."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm, RetrievalSettings, Tower
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.models.optimizers import optimizer  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel, sum_duplicates  # noqa: E402


def batch_of(rows: int, probability: float = 0.1) -> dict:
    examples = small_examples(rows)
    return {
        "query": examples.query,
        "candidate": examples.candidate,
        "probability": np.full(rows, probability, np.float32),
        "product": np.arange(rows, dtype=np.int32),
        "label": np.full(rows, np.nan, np.float32),
    }


def model_of(spec) -> TwoTowerModel:
    tf.keras.utils.set_random_seed(1)
    model = TwoTowerModel(spec, VOCABULARIES)
    model.compile(optimizer("sgd", 0.1, batch_size=16))
    return model


def embeddings(model, batch) -> tuple[np.ndarray, np.ndarray]:
    return (
        model.query_tower(batch["query"]).numpy(),
        model.candidate_tower(batch["candidate"]).numpy(),
    )


def softmax_loss(scores: np.ndarray) -> float:
    log_sums = np.log(np.exp(scores).sum(axis=1))
    return float(np.mean(log_sums - np.diag(scores)))


def test_outputs_have_length_one_when_normalized():
    batch = batch_of(9)
    found = embeddings(model_of(small_spec()), batch)
    plain = small_spec(retrieval=RetrievalSettings(normalize=False))
    raw = embeddings(model_of(plain), batch)  # the same weights: they are made at the first call
    for vectors, as_they_are in zip(found, raw, strict=True):
        lengths = np.sqrt(np.sum(as_they_are**2, axis=1, keepdims=True))
        assert abs(lengths - 1).min() > 1e-3
        np.testing.assert_allclose(vectors, as_they_are / lengths, rtol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_outputs_keep_their_length_when_not():
    spec = small_spec(retrieval=RetrievalSettings(normalize=False))
    query, _ = embeddings(model_of(spec), batch_of(9))
    assert np.linalg.norm(query, axis=1).max() < 0.9


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_the_loss_is_the_mean_in_batch_cross_entropy(temperature):
    model = model_of(small_spec(retrieval=RetrievalSettings(temperature=temperature)))
    batch = batch_of(9)
    query, candidate = embeddings(model, batch)
    expected = softmax_loss(query @ candidate.T / temperature)
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_equals_tfrs_default_divided_by_the_batch_size():
    import tensorflow_recommenders as tfrs

    model = model_of(small_spec())
    batch = batch_of(9)
    query, candidate = embeddings(model, batch)
    default = tfrs.tasks.Retrieval(temperature=0.15)(query, candidate, compute_metrics=False)
    assert float(model.compute_loss(batch)) == pytest.approx(float(default) / 9, rel=1e-5)


def test_collapsed_towers_lose_ln_of_the_batch():
    model = model_of(small_spec())
    batch = batch_of(16)
    model.compute_loss(batch)
    for weights in model.candidate_tower.trainable_variables:
        weights.assign(tf.zeros_like(weights))
    assert float(model.compute_loss(batch)) == pytest.approx(math.log(16))


def test_logq_correction_subtracts_log_q_from_the_logits():
    settings = RetrievalSettings(logq_correction=True)
    model = model_of(small_spec(retrieval=settings))
    batch = batch_of(9)
    batch["probability"] = np.linspace(0.01, 0.5, 9, dtype=np.float32)
    query, candidate = embeddings(model, batch)
    expected = softmax_loss(
        query @ candidate.T / settings.temperature - np.log(batch["probability"])
    )
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def test_a_tower_concatenates_its_tensors_in_the_order_of_the_features():
    model = model_of(small_spec())
    tower, inputs = model.candidate_tower, batch_of(3)["candidate"]
    tower(inputs)
    price, product, kind = (
        table[ids]
        for table, ids in zip(
            [v.numpy() for v in tower.trainable_variables if v.shape[0] in (5, 14, 5)],
            inputs.ids.T,
            strict=True,
        )
    )
    joined = np.concatenate(tower._fields(inputs), axis=1)
    expected = [inputs.values[:, :1], price, product, inputs.values[:, 1:], kind]
    np.testing.assert_allclose(joined, np.concatenate(expected, axis=1))
    assert joined.shape[1] == small_spec().features.product_dim


def test_a_sum_adds_embeddings_and_projects_the_rest():
    """Price (a z-score), its bucket, the product, the time of day (2 numbers) and the kind."""
    spec = small_spec(model={"combine": "sum", "output_dim": 4}).replace(
        features=small_spec().features.at_width(4)
    )
    tower, inputs = TwoTowerModel(spec, VOCABULARIES).candidate_tower, batch_of(3)["candidate"]
    found = tower._sum(tower._fields(inputs))
    fields = [field.numpy() for field in tower._fields(inputs)]
    kernels = [v.numpy() for v in tower.trainable_variables if "projection" in v.name]
    assert [kernel.shape for kernel in kernels] == [(1, 4), (2, 4)]
    price, bucket, product, day, kind = fields
    expected = price @ kernels[0] + bucket + product + day @ kernels[1] + kind
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    length = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(tower(inputs), expected / length, rtol=1e-4)


def test_embeddings_start_small():
    model = model_of(small_spec())
    model.query_tower(batch_of(3)["query"])
    table = model.query_tower.trainable_variables[0].numpy()
    assert table.shape == (VOCABULARIES["buyer"] + 2, 4)
    assert np.abs(table).max() <= 0.05


def test_duplicate_ids_are_summed_before_the_norm():
    slices = tf.IndexedSlices(
        tf.constant([[1.0, 0], [2, 0], [0, 4]]), tf.constant([5, 5, 2]), tf.constant([9, 2])
    )
    assert float(tf.linalg.global_norm([sum_duplicates(slices)])) == 5
    assert float(tf.linalg.global_norm([slices])) == pytest.approx(math.sqrt(21))


def test_gradient_norms_equal_those_of_dense_gradients():
    model = model_of(small_spec())
    batch = batch_of(16)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    towers = (model.query_tower.trainable_variables, model.candidate_tower.trainable_variables)
    query, candidate = (
        math.sqrt(sum(float(tf.reduce_sum(tf.convert_to_tensor(g) ** 2)) for g in gradients))
        for gradients in tape.gradient(loss, towers)
    )
    logs = {name: float(value) for name, value in model.train_step(batch).items()}
    assert logs["gradient_query"] == pytest.approx(query, rel=1e-5)
    assert logs["gradient_candidate"] == pytest.approx(candidate, rel=1e-5)
    assert logs["gradient"] == pytest.approx(math.hypot(query, candidate), rel=1e-5)
    assert logs["loss"] == logs["total_loss"] == pytest.approx(float(loss), rel=1e-6)


def test_penalties_count_in_the_total_loss_only():
    spec = small_spec(tower=Tower(layers=(Dense(units=4, l1=0.25, l2=0.5),)))
    model = model_of(spec)
    batch = batch_of(16)
    loss = float(model.compute_loss(batch))
    kernels = [
        v.numpy()
        for tower in (model.query_tower, model.candidate_tower)
        for v in tower.trainable_variables
        if "output" not in v.name and "kernel" in v.name
    ]
    penalty = sum(0.25 * np.abs(k).sum() + 0.5 * (k**2).sum() for k in kernels)
    logs = model.train_step(batch)
    assert len(kernels) == 2
    assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(logs["total_loss"]) == pytest.approx(loss + penalty, rel=1e-5)


def test_dropout_and_norms_differ_between_training_and_use():
    layers = (Dense(units=8), Dropout(rate=0.5), BatchNorm(), LayerNorm())
    model = model_of(small_spec(tower=Tower(layers=layers)))
    query = batch_of(16)["query"]
    once, again = (model.query_tower(query, training=False).numpy() for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, model.query_tower(query, training=True).numpy())


@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw", "sgd", "rmsprop", "ftrl"])
def test_every_optimizer_lowers_the_loss(name):
    model = model_of(small_spec())
    model.compile(optimizer(name, 0.05, batch_size=64))
    batch = batch_of(64)
    before = float(model.compute_loss(batch))
    for _ in range(20):
        model.train_step(batch)
    assert float(model.compute_loss(batch)) < before - 0.05


def test_a_first_step_of_sgd_moves_weights_by_the_learning_rate():
    model = model_of(small_spec())
    model.compile(optimizer("sgd", 0.5, batch_size=16))
    batch = batch_of(16)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    weights = model.query_tower.trainable_variables[-2]
    gradient = tape.gradient(loss, weights)
    expected = weights.numpy() - 0.5 * gradient.numpy()
    model.train_step(batch)
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-5, atol=1e-8)
