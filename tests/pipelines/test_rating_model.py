"""Ratings and their losses against values computed by hand."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import Dense
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.errors import RunFailure  # noqa: E402
from pipelines.evaluation import candidates_of  # noqa: E402
from pipelines.models.optimizers import optimizer  # noqa: E402
from pipelines.models.own_history import own_history  # noqa: E402
from pipelines.models.rating import Labels, labels_of  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402
from pipelines.recording import RunFolder  # noqa: E402
from pipelines.scoring import predict, scorer, served_candidates  # noqa: E402
from pipelines.training import chance_loss, fit  # noqa: E402

LABEL = np.array([1, 5, np.nan, 2], np.float32)
KNOWN = np.array([1, 5, 2])


def batch_of(label=LABEL) -> dict:
    examples = small_examples(len(label))
    return {
        "query": examples.query,
        "candidate": examples.candidate,
        "probability": np.full(len(label), 0.1, np.float32),
        "product": np.arange(len(label), dtype=np.int32),
        "label": np.asarray(label, np.float32),
    }


def model_of(labels=None, type="ranking", retrieval_weight=1.0, ranking_weight=1.0, **rating):
    weights = {"retrieval_weight": retrieval_weight, "ranking_weight": ranking_weight}
    spec = small_spec(model={"type": type, "rating": rating, **weights})
    tf.keras.utils.set_random_seed(1)
    model = TwoTowerModel(spec, VOCABULARIES, labels or Labels(3, 1, 5))
    model.compile(optimizer("sgd", 0.1, batch_size=4))
    return model


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mse", np.mean((KNOWN - 3) ** 2)), ("huber", np.mean(np.abs(KNOWN - 3) - 0.5))],
)
def test_the_output_starts_at_the_mean_and_rows_without_label_do_not_count(loss, expected):
    model = model_of(loss=loss, dot_product=False)
    np.testing.assert_allclose(model.raw_ratings(*pair(batch_of())), 3)
    assert float(model.compute_loss(batch_of())) == pytest.approx(expected)
    assert all(np.isfinite(float(v)) for v in model.train_step(batch_of()).values())


def pair(batch):
    return batch["query"], batch["candidate"]


def test_huber_is_quadratic_below_its_delta():
    model = model_of(loss="huber", huber_delta=1.5, dot_product=False)
    expected = np.mean([1.5 * (2 - 0.75), 1.5 * (2 - 0.75), 0.5])
    assert float(model.compute_loss(batch_of())) == pytest.approx(expected)


def test_cross_entropy_is_from_logits_and_starts_at_the_share():
    model = model_of(Labels(0.25, 0, 1), loss="binary_crossentropy", dot_product=False)
    batch = batch_of([1, 0, np.nan])
    raw = model.raw_ratings(*pair(batch))
    np.testing.assert_allclose(raw, math.log(0.25 / 0.75), rtol=1e-5)
    np.testing.assert_allclose(model.rating.ratings(raw), 0.25, rtol=1e-5)
    expected = -(math.log(0.25) + math.log(0.75)) / 2
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def test_terms_of_a_rating_add_up():
    model = model_of(layers=None)
    batch = batch_of()
    model.compute_loss(batch)
    buyers, products = model.rating.trainable_variables[-2:]
    buyers.assign(tf.fill(buyers.shape, 0.5))
    products.assign(tf.fill(products.shape, 0.25))
    u, v = model.query_tower(batch["query"]), model.candidate_tower(batch["candidate"])
    expected = 3 + np.sum(u * v, axis=1) + 0.75
    np.testing.assert_allclose(model.raw_ratings(*pair(batch)), expected, rtol=1e-5)


def test_a_head_weights_both_vectors_and_their_product_after_its_layers():
    batch = batch_of()
    for layers in ((), (Dense(units=2, activation="relu"),)):
        model = model_of(layers=layers, dot_product=False, biases=False)
        model.compute_loss(batch)
        u, v = model.query_tower(batch["query"]), model.candidate_tower(batch["candidate"])
        joined = np.concatenate([u, v, u * v], axis=1)
        if layers:
            kernel, bias = model.rating._hidden[0].get_weights()
            joined = np.maximum(0, joined @ kernel + bias)
        weights = np.linspace(-1, 1, joined.shape[1], dtype=np.float32)[:, None]
        model.rating._output.set_weights([weights])
        found = model.raw_ratings(*pair(batch))
        np.testing.assert_allclose(found, 3 + (joined @ weights)[:, 0], rtol=1e-4)


def test_penalties_count_in_the_total_loss_only():
    model = model_of(layers=None, bias_l2=0.5, embedding_l2=0.1)
    batch = batch_of()
    loss = float(model.compute_loss(batch))
    buyers = model.rating.trainable_variables[-2]
    buyers.assign(tf.fill(buyers.shape, 2.0))
    loss = float(model.compute_loss(batch))
    u, v = model.query_tower(batch["query"]), model.candidate_tower(batch["candidate"])
    penalty = 0.5 * 4 + 0.1 * float(np.mean(np.sum(u**2 + v**2, axis=1)))
    assert float(model.train_step(batch)["total_loss"]) == pytest.approx(loss + penalty, rel=1e-5)


def test_ratings_stay_within_the_range_of_train():
    model = model_of()
    np.testing.assert_allclose(model.rating.ratings(tf.constant([0.0, 3, 9])), [1, 3, 5])


def test_losses_of_a_multitask_model_are_weighted():
    batch = batch_of()
    both = [
        float(model_of(type="multitask", retrieval_weight=r, ranking_weight=k).compute_loss(batch))
        for r, k in ((1, 0), (0, 1), (2, 3))
    ]
    assert both[2] == pytest.approx(2 * both[0] + 3 * both[1], rel=1e-5)


def test_a_cross_entropy_refuses_labels_beyond_0_and_1():
    with pytest.raises(RunFailure, match="from 0 to 1, not 1 to 5"):
        labels_of(LABEL, "binary_crossentropy")
    with pytest.raises(RunFailure, match="no target|No row"):
        labels_of(np.full(3, np.nan, np.float32), "mse")
    assert labels_of(LABEL, "mse")[:3] == pytest.approx((8 / 3, 1, 5))


def test_ranking_learns_and_predicts(tmp_path):
    spec = small_spec(model={"type": "ranking", "rating": {}}, epochs=8, learning_rate=0.05)
    train = small_examples(400)
    label = (1 + train.query.ids[:, 0] % 5).astype(np.float32)
    train = train._replace(label=label)
    model = TwoTowerModel(spec, VOCABULARIES, labels_of(label, "mse"))
    recorder = fit(model, spec, train, train, candidates_of(train), RunFolder(str(tmp_path)))
    rmse = math.sqrt(np.mean((predict(model, train) - label) ** 2))
    assert rmse < 0.5 * label.std()
    assert recorder.records[-1].metrics["val_rmse"] == pytest.approx(rmse, rel=1e-4)
    assert set(recorder.weights()) == {"query", "candidate", "rating"}


def test_early_stopping_ends_and_keeps_the_best(tmp_path):
    stopping = {"patience": 2, "monitor": "val_loss"}
    spec = small_spec(epochs=60, learning_rate=0.3, early_stopping=stopping)
    train, validation = small_examples(60), small_examples(40, seed=3)
    model = TwoTowerModel(spec, VOCABULARIES)
    recorder = fit(model, spec, train, validation, candidates_of(train), RunFolder(str(tmp_path)))
    losses = [record.val_loss for record in recorder.records]
    assert len(losses) < 60
    assert losses.index(min(losses)) == len(losses) - 1 - 2
    kept = model.evaluate(batches(validation, candidates_of(train)), verbose=0, return_dict=True)
    assert kept["loss"] == pytest.approx(min(losses), rel=1e-4)
    best = recorder.best_epoch
    assert best == losses.index(min(losses))
    assert recorder.final_loss == recorder.records[best].train_loss
    assert recorder.final_loss != recorder.records[-1].train_loss


def batches(examples, candidates):
    from pipelines.training import _batches

    return _batches(examples, candidates, 16)


def test_early_stopping_watches_the_primary_metric(tmp_path):
    found = iter([0.1, 0.4, 0.3, 0.2, 0.9])
    spec = small_spec(epochs=9, early_stopping={"patience": 2, "monitor": "primary"})
    train = small_examples(40)
    model = TwoTowerModel(spec, VOCABULARIES)
    folder = RunFolder(str(tmp_path))
    recorder = fit(
        model, spec, train, train, candidates_of(train), folder, recall=lambda: next(found)
    )
    assert len(recorder.records) == 4
    assert recorder.epoch_metrics()["val_recall_at_100"] == (0.1, 0.4, 0.3, 0.2)
    assert recorder.final_loss == recorder.records[1].train_loss


def test_without_retrieval_weight_early_stopping_watches_the_ratings(tmp_path):
    model = {"type": "multitask", "rating": {}, "retrieval_weight": 0.0}
    stopping = {"patience": 1, "monitor": "primary"}
    spec = small_spec(model=model, epochs=2, early_stopping=stopping)
    train = small_examples(40)
    train = train._replace(label=(1 + train.query.ids[:, 0] % 5).astype(np.float32))
    model = TwoTowerModel(spec, VOCABULARIES, labels_of(train.label, "mse"))
    folder = RunFolder(str(tmp_path))
    recorder = fit(model, spec, train, train, candidates_of(train), folder, recall=pytest.fail)
    assert "val_rmse" in recorder.epoch_metrics()
    assert "val_recall_at_100" not in recorder.epoch_metrics()


@pytest.mark.parametrize(
    ("settings", "width"), [({}, 16), ({"softmax_group": 4}, 4), ({"hard_negatives": 2}, 3)]
)
def test_the_loss_of_chance_is_the_log_of_the_softmax_width(settings, width):
    spec = small_spec(model={"retrieval": settings})
    assert chance_loss(spec, 100) == pytest.approx(math.log(width))


@pytest.mark.parametrize(("kind", "weight"), [("ranking", 1.0), ("multitask", 0.0)])
def test_no_chance_is_known_of_what_does_not_retrieve(kind, weight):
    model = {"type": kind, "rating": {}, "retrieval_weight": weight}
    assert chance_loss(small_spec(model=model), 100) is None


def test_a_multitask_model_that_learns_nothing_shows_it_in_its_retrieval_loss(tmp_path):
    settings = {"type": "multitask", "rating": {}, "retrieval": {"normalize": False}}
    spec = small_spec(model=settings, learning_rate=1e-7)
    train = small_examples(64)._replace(label=np.linspace(1, 5, 64).astype(np.float32))
    model = TwoTowerModel(spec, VOCABULARIES, labels_of(train.label, "mse"))
    model.raw_ratings(train.query, train.candidate)
    for weights in model.query_tower.trainable_variables:
        weights.assign(tf.zeros_like(weights))
    recorder = fit(model, spec, train, train, candidates_of(train), RunFolder(str(tmp_path)))
    losses = recorder.epoch_metrics()["retrieval_loss"]
    assert chance_loss(spec, 64) == pytest.approx(math.log(16))
    np.testing.assert_allclose(losses, math.log(16), rtol=1e-4)


def test_own_history_adds_the_log_of_the_counts():
    buyers = np.array([1, 1, 1, 3], np.int32)
    history = own_history(buyers, np.array([2, 2, 0, 1]), ids=5, weight=10)
    scores = np.zeros((4, 3), np.float32)
    history.add_to(scores, np.array([1, 3, 2, 4], np.int32))
    expected = [[10 * math.log(2), 0, 10 * math.log(3)], [0, 10 * math.log(2), 0], [0] * 3, [0] * 3]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize(("weight", "prior"), [(1, True), (0.5, True), (1, False)])
def test_a_score_is_the_product_and_the_weighted_prior(weight, prior):
    settings = {"popularity_weight": weight, "popularity_prior": prior, "own_history": True}
    spec = small_spec(model={"retrieval": settings})
    train = small_examples(30)
    candidates = candidates_of(train)
    model = TwoTowerModel(spec, VOCABULARIES)
    served = served_candidates(model, spec, train, candidates)
    found = scorer(model, spec, served, train)(slice(0, 3))
    u = model.query_tower(train.query).numpy()[:3]
    v = model.candidate_tower(train.candidate.take(candidates.latest)).numpy()
    expected = u @ v.T / 0.15 + (weight * candidates.log_probability if prior else 0)
    for row in range(3):
        for column, product in enumerate(candidates.ids):
            n = np.sum((train.buyer == train.buyer[row]) & (train.product == product))
            expected[row, column] += 5 * math.log1p(n)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_row_wise_adam_moves_only_the_rows_of_the_batch(name):
    table = tf.Variable([[1.0], [2.0], [3.0]])
    adam = optimizer(name, 0.1, batch_size=1, row_wise=True)
    adam.weight_decay = None
    for gradient, row in ((0.5, 1), (0.25, 2), (1.0, 1)):
        slices = tf.IndexedSlices(tf.constant([[gradient]]), tf.constant([row]), [3, 1])
        adam.apply_gradients([(slices, table)])
    # Row 1 is updated at steps 1 and 3; its moments don't decay at step 2.
    m1, v1 = 0.1 * 0.5, 0.001 * 0.25
    first = 0.1 * math.sqrt(1 - 0.999) / (1 - 0.9) * m1 / (math.sqrt(v1) + 1e-7)
    m3, v3 = 0.9 * m1 + 0.1, 0.999 * v1 + 0.001
    scale = 0.1 * math.sqrt(1 - 0.999**3) / (1 - 0.9**3)
    third = scale * m3 / (math.sqrt(v3) + 1e-7)
    scale = 0.1 * math.sqrt(1 - 0.999**2) / (1 - 0.9**2)
    second = scale * 0.1 * 0.25 / (math.sqrt(0.001) * 0.25 + 1e-7)
    expected = [[1], [2 - first - third], [3 - second]]
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-5)


def test_plain_adam_moves_rows_that_had_a_gradient_before_as_keras_does():
    own, keras = tf.Variable([[1.0], [2.0]]), tf.Variable([[1.0], [2.0]])
    plain, reference = optimizer("adam", 0.1, batch_size=1), tf.keras.optimizers.Adam(0.1)
    for gradient, row in ((0.5, 1), (0.25, 0)):
        slices = tf.IndexedSlices(tf.constant([[gradient]]), tf.constant([row]), [2, 1])
        plain.apply_gradients([(slices, own)])
        reference.apply_gradients([(slices, keras)])
    np.testing.assert_array_equal(own.numpy(), keras.numpy())
    assert own.numpy()[1, 0] < 1.9 - 1e-3  # the second step moved row 1 on
