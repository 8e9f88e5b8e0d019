"""Exported models in a fresh process, by plain TensorFlow, answer as the Trainer measured."""

import json
import subprocess
import sys
from types import SimpleNamespace

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.spec import RatingSettings, RetrievalSettings, Target
from engine.spec.run_folder import TEST_ROWS, TRAINING_METRICS, TrainingMetrics
from tests.pipelines.grocery_spec import AGE, grocery_examples, grocery_spec
from tests.pipelines.pipeline_runs import execute
from tests.sample_data import write_groceries

pytestmark = pytest.mark.pipeline

TOP_K = 30
OWN_HISTORY = RetrievalSettings(
    own_history=True, logq_correction=True, popularity_weight=0.75, top_k=TOP_K
)
SCANN = OWN_HISTORY.replace(num_leaves=12, leaves_to_search=12)
RATING = RatingSettings(loss="huber", huber_delta=0.5)
TRANSFORMED = Target(column="spent", clip=(1, 99), log1p=True, normalize=True)
MODELS = {
    "own history": ({"retrieval": OWN_HISTORY}, None),
    "scann": ({"retrieval": SCANN}, None),
    "ranking": ({"type": "ranking", "rating": RATING}, TRANSFORMED),
    "normalized": ({"type": "ranking", "rating": RATING}, Target(column="spent", normalize=True)),
    "multitask": ({"type": "multitask", "rating": RATING, "retrieval": SCANN}, TRANSFORMED),
}

_SERVE = """
import json, sys
import tensorflow as tf
from scann import scann_ops
asked = json.loads(sys.stdin.read())
answers = {}
for name, (path, signature) in asked["models"].items():
    serve = tf.saved_model.load(path).signatures[signature]
    inputs = {
        key: tf.constant(asked["rows"][key], spec.dtype)
        for key, spec in serve.structured_input_signature[1].items()
    }
    answers[name] = {key: value.numpy() for key, value in serve(**inputs).items()}

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value

print(json.dumps({
    name: {key: plain(value.tolist()) for key, value in answer.items()}
    for name, answer in answers.items()
}))
"""


def spec_of(data, name: str, number: int):
    model, target = MODELS[name]
    spec = grocery_spec(data, uid=f"{number:012x}", epochs=2)
    features = spec.features.replace(target=target) if target else spec.features
    return spec.replace(model=spec.model.replace(**model), features=features)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Train all models over one set of examples, and ask them about the test rows."""
    root = tmp_path_factory.mktemp("workspace")
    data = write_groceries(root / "data")
    paths, found = {}, {}
    for number, name in enumerate(MODELS):
        spec = spec_of(data, name, number)
        execute(root, spec)
        models = (root / "cache").glob("Trainer/model/*/Format-Serving")
        paths[name] = str(max(models, key=lambda path: int(path.parent.name)))
        folder = root / "runs" / spec.uid
        found[name] = SimpleNamespace(
            metrics=TrainingMetrics.model_validate_json((folder / TRAINING_METRICS).read_bytes()),
            rows=pq.read_table(folder / TEST_ROWS).to_pandas(),
        )
    test = duckdb.sql(grocery_examples(data).queries["test"]).df().drop_duplicates("row_key")
    answers = answers_of(paths, test)
    for name, run in found.items():
        own = run.rows.drop_duplicates("row_key").set_index("row_key").loc[test["row_key"]]
        run.rows, run.answer = own, answers[name]
        run.ratings = answers.get(f"{name} rate", run.answer).get("rating")
    return found


def answers_of(paths, test):
    signatures = {name: (path, "serving_default") for name, path in paths.items()}
    signatures["multitask rate"] = (paths["multitask"], "rate")
    rows = {
        "household_id": test["household_id"].tolist(),
        "product_id": test["product_id"].tolist(),
        "Alter___gr__e": test[AGE].fillna("").tolist(),
        "at": test["at"].tolist(),
        "bought": [padded(products) for products in test["bought"]],
        "department": test["department"].fillna("").tolist(),
        "category": test["category"].fillna("").tolist(),
        "nothing": [""] * len(test),
        "spent": test["spent"].tolist(),
        "quantity": test["quantity"].tolist(),
    }
    done = subprocess.run(
        [sys.executable, "-c", _SERVE],
        input=json.dumps({"models": signatures, "rows": rows}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def padded(products) -> list[str]:
    found = list(products) if hasattr(products, "__len__") else []
    return [*found, *[""] * (5 - len(found))]


def places(run) -> np.ndarray:
    """Return where each row's product is in the served answer; NaN where it isn't."""
    return np.array(
        [
            answer.index(product) if product in answer else np.nan
            for answer, product in zip(run.answer["product_ids"], run.rows["product"], strict=True)
        ]
    )


def test_brute_force_with_own_histories_ranks_as_the_trainer_did(exported):
    run = exported["own history"]
    assert run.metrics.index.kind == "brute_force"
    assert run.metrics.index.recall == 1
    rank, place = run.rows["rank"].to_numpy(), places(run)
    inside = rank < TOP_K - 1
    assert inside.sum() > 20
    # Scores that are as good as equal may come in either order.
    assert np.mean(np.abs(place[inside] - rank[inside]) <= 0.5) > 0.98
    assert not np.isfinite(place[rank > TOP_K + 1]).any()


@pytest.mark.parametrize("name", ["scann", "multitask"])
def test_scann_misses_no_more_of_the_measured_hits_than_it_says(exported, name):
    run = exported[name]
    index = run.metrics.index
    assert (index.kind, index.top_k) == ("scann", TOP_K)
    assert (index.num_leaves, index.leaves_to_search) == (12, 12)
    assert index.products == run.metrics.candidates
    rank, place = run.rows["rank"].to_numpy(), places(run)
    inside = rank < TOP_K - 1
    assert inside.sum() > 20
    assert np.mean(np.isfinite(place[inside])) >= index.recall - 0.05
    known = inside & np.isfinite(place)
    # What it misses lets the others move up.
    assert (place[known] <= rank[known] + 1).all()
    most = np.ceil((1 - index.recall) * TOP_K) + 2
    assert np.mean(rank[known] - place[known] <= most) > 0.95


@pytest.mark.parametrize("name", ["own history", "scann", "multitask"])
def test_answers_are_different_products_best_first(exported, name):
    answer = exported[name].answer
    assert all(len(set(products)) == TOP_K for products in answer["product_ids"])
    assert all(scores == sorted(scores, reverse=True) for scores in answer["scores"])


@pytest.mark.parametrize("name", ["ranking", "normalized", "multitask"])
def test_ratings_are_those_that_were_measured_in_the_targets_own_unit(exported, name):
    run = exported[name]
    np.testing.assert_allclose(run.ratings, run.rows["prediction"], rtol=1e-4, atol=1e-4)
    errors = np.array(run.ratings) - run.rows["label"]
    measured = run.metrics.final_metrics["test_rmse"]
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(measured, rel=0.02)
    assert np.std(run.ratings) > 0.1


def test_a_ranking_model_has_no_index(exported):
    assert exported["ranking"].metrics.index is None
