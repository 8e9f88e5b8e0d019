"""One real run of the pipeline over 3,000 rows, looked at from every side."""

import json
import subprocess
import sys
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from engine.spec import SPLIT
from engine.spec.run_folder import (
    HISTOGRAMS,
    TEST_ROWS,
    TRAINING_METRICS,
    Histograms,
    TrainingMetrics,
)
from engine.statistics import read_statistics
from tests.pipelines.grocery_spec import AGE, grocery_examples, grocery_spec
from tests.pipelines.pipeline_runs import execute
from tests.sample_data import write_groceries

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the pipeline, then again with another learning rate."""
    root = tmp_path_factory.mktemp("workspace")
    data = write_groceries(root / "data")
    first = grocery_spec(data, uid="0" * 12)
    second = grocery_spec(data, uid="1" * 12, learning_rate=0.02)
    for spec in (first, second):
        execute(root, spec)
    folder = root / "runs" / first.uid
    return SimpleNamespace(
        root=root,
        data=data,
        spec=first,
        folder=folder,
        rows={split: duckdb.sql(sql).df() for split, sql in grocery_examples(data).queries.items()},
        metrics=TrainingMetrics.model_validate_json((folder / TRAINING_METRICS).read_bytes()),
        test_rows=pq.read_table(folder / TEST_ROWS).to_pandas(),
    )


def outputs(run, component: str, pattern: str) -> list:
    return sorted((run.root / "cache" / component).glob(pattern))


def states(run) -> dict[str, list[str]]:
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(run.root / "metadata.db")
    store = MetadataStore(config)
    types = {kind.id: kind.name.rpartition(".")[2] for kind in store.get_execution_types()}
    found: dict[str, list[str]] = {}
    for execution in sorted(store.get_executions(), key=lambda execution: execution.id):
        state = mlmd.Execution.State.Name(execution.last_known_state)
        found.setdefault(types[execution.type_id], []).append(state)
    return found


def test_a_rerun_with_another_learning_rate_only_trains(run):
    cached = ["COMPLETE", "CACHED"]
    assert states(run) == {
        "DuckDBExampleGen": cached,
        "InMemoryStatisticsGen": cached,
        "SchemaGen": cached,
        "InMemoryTransform": cached,
        "Trainer": ["COMPLETE", "COMPLETE"],
    }


def test_every_row_is_trained_on_evaluated_or_tested(run):
    assert run.metrics.rows.model_dump() == {split: len(rows) for split, rows in run.rows.items()}
    assert sum(len(rows) for rows in run.rows.values()) == 3_000
    assert sorted(run.test_rows["row_key"]) == sorted(run.rows["test"]["row_key"])


def test_labels_are_the_target_in_its_own_unit(run):
    import tensorflow_transform as tft

    from pipelines.data import load_splits

    (transform,) = outputs(run, "Transform", "transform_graph/*")
    patterns = [str(path / "*") for path in outputs(run, "ExampleGen", "examples/*/Split-*")]
    splits = load_splits(patterns, run.spec, tft.TFTransformOutput(str(transform)))
    for split, rows in run.rows.items():
        assert splits[split].label.dtype == np.float32
        spent = dict(zip(rows["row_key"], rows["spent"], strict=True))
        expected = [spent[key] for key in splits[split].row_key]
        np.testing.assert_array_equal(splits[split].label, np.array(expected, np.float32))


def test_statistics_and_schema_come_from_train_only(run):
    folders = {path.parent.name for path in outputs(run, "StatisticsGen", "statistics/*/*/*")}
    assert folders == {"Split-train"}


def test_the_statistics_say_what_the_rows_of_train_are(run):
    (file,) = outputs(run, "StatisticsGen", "statistics/*/Split-train/FeatureStats.pb")
    (schema,) = outputs(run, "SchemaGen", "schema/*/schema.pbtxt")
    found = read_statistics({"train": file.read_bytes()}, schema.read_bytes())
    train = run.rows["train"]
    assert found.splits["train"].rows == len(train)
    features = {feature.name: feature for feature in found.splits["train"].features}
    assert set(features) == {*train.columns} - {"row_key"}
    for name, feature in features.items():
        values = train[name].explode().dropna()
        assert feature.missing_share == pytest.approx(train[name].isna().mean()), name
        if feature.categorical is not None:
            counts = values.value_counts()
            assert feature.categorical.unique == len(counts), name
            top = {t.value: t.count for t in feature.categorical.top_values}
            assert top == {value: counts[value] for value in top}, name
            assert max(top.values(), default=0) == counts.max() or counts.empty
        elif feature.numeric is not None:
            numeric = feature.numeric
            assert (numeric.minimum, numeric.maximum) == (values.min(), values.max()), name
            assert numeric.mean == pytest.approx(values.mean())
            assert numeric.std == pytest.approx(values.std(ddof=0), rel=1e-4)
            assert sum(b.count for b in numeric.histogram) == pytest.approx(len(values), rel=1e-3)
    required = {feature.name for feature in found.schema_features if feature.required}
    assert required >= {"household_id", "product_id"}
    departments = next(f for f in found.schema_features if f.name == "department")
    assert set(departments.domain) == set(train["department"].dropna())


def test_a_vocabulary_holds_the_tokens_of_train_by_frequency(run):
    (assets,) = outputs(run, "Transform", "transform_graph/*/transform_fn/assets")
    counts = run.rows["train"]["department"].value_counts()
    tokens = (assets / "department").read_text().splitlines()
    assert set(tokens) == set(counts.index)
    assert [counts[token] for token in tokens] == sorted(counts, reverse=True)


def test_vocabulary_sizes_are_the_distinct_tokens_of_train(run):
    train = run.rows["train"]
    text = ("household_id", AGE, "product_id", "department", "category", "nothing")
    assert run.metrics.vocabulary_sizes == {column: train[column].nunique() for column in text}
    assert run.metrics.vocabulary_sizes["nothing"] == 0


def test_vocabulary_shares_follow_from_the_rows(run):
    train = run.rows["train"]
    held_out = pd.concat([run.rows["eval"], run.rows["test"]])
    for column, found in run.metrics.vocabularies.items():
        known = held_out[column].isin(train[column].dropna())
        assert found.coverage == pytest.approx(known.mean())
        values = held_out[column].notna().sum()
        unknown = 1 - known.sum() / values if values else 0
        assert found.oov_share == pytest.approx(unknown), column
        assert found.missing_share == pytest.approx(train[column].isna().mean())


def test_every_field_of_the_source_document_is_written(run):
    written = json.loads((run.folder / TRAINING_METRICS).read_text())
    expected = ("epochs", "loss", "gradient", "weight_stats", "gradient_stats", "final_metrics")
    assert all(written[name] for name in (*expected, "params", "saved_at"))
    assert written["available"] is True
    epochs = len(run.metrics.epochs)
    for stats in (*run.metrics.gradient_stats.values(), *run.metrics.weight_stats.values()):
        assert {len(curve) for curve in stats.model_dump().values()} == {epochs}
    histograms = Histograms.model_validate_json((run.folder / HISTOGRAMS).read_bytes())
    assert histograms.epochs == run.metrics.epochs
    assert set(histograms.towers) == {"query", "candidate"}


def test_candidates_are_the_products_of_train(run):
    train, test = run.rows["train"], run.rows["test"]
    assert run.metrics.candidates == train["product_id"].nunique()
    unknown = ~test["product_id"].isin(train["product_id"])
    assert run.metrics.unknown_product_share == unknown.mean()
    assert int(run.test_rows["rank"].isna().sum()) == unknown.sum()


def test_the_popularity_baseline_is_that_of_train(run):
    counts = run.rows["train"]["product_id"].value_counts()
    ranks, hits = [], []
    for product in run.test_rows["product"]:
        own = counts.get(product)
        greater, equal = (counts > own).sum(), (counts == own).sum()
        ranks.append(np.nan if own is None else greater + (equal - 1) / 2)
        hits.append(0 if own is None else min(1, max(0, (50 - greater) / equal)))
    np.testing.assert_array_equal(run.test_rows["popularity_rank"], ranks)
    assert run.metrics.baseline.metrics["recall_at_50"] == pytest.approx(np.mean(hits))


def test_pairs_seen_in_train_are_marked(run):
    pairs = set(run.rows["train"][["household_id", "product_id"]].itertuples(index=False))
    seen = [p in pairs for p in run.test_rows[["buyer", "product"]].itertuples(index=False)]
    assert run.test_rows["seen_in_train"].tolist() == seen
    assert run.metrics.seen_in_train_share == np.mean(seen)


def test_recall_follows_from_the_rows_that_are_kept(run):
    for k in (5, 10, 50, 100):
        recall = float((run.test_rows["rank"] < k).mean())
        assert run.metrics.final_metrics[f"recall_at_{k}"] == recall
        assert run.metrics.final_metrics[f"test_recall_at_{k}"] == recall
    interval = run.metrics.interval
    assert interval.low <= interval.value <= interval.high
    assert interval.value == run.metrics.final_metrics["recall_at_100"]
    popular = run.metrics.baseline.metrics["recall_at_100"]
    difference = run.metrics.baseline.difference
    assert difference.value == pytest.approx(interval.value - popular)
    assert difference.low <= difference.value <= difference.high


def test_curves_have_a_point_an_epoch(run):
    metrics = run.metrics
    assert metrics.epochs == (0, 1, 2)
    curves = (metrics.loss, metrics.gradient, *metrics.weight_stats.values())
    for curve in curves:
        assert all(len(points) == 3 for points in curve.model_dump().values())
    assert metrics.loss.train[2] < metrics.loss.train[0]
    assert metrics.final_metrics["loss"] == metrics.loss.train[-1]
    assert metrics.params["learning_rate"] == 0.01


_SERVE = """
import json, sys
import tensorflow as tf
path, rows = sys.argv[1], json.loads(sys.stdin.read())
serve = tf.saved_model.load(path).signatures["serving_default"]
inputs = {name: tf.constant(values) for name, values in rows.items() if name != "at"}
inputs["at"] = tf.constant(rows["at"], tf.int64)
answer = serve(**inputs)
print(json.dumps({
    "inputs": sorted(serve.structured_input_signature[1]),
    "product_ids": [[x.decode() for x in row] for row in answer["product_ids"].numpy()],
    "scores": answer["scores"].numpy().tolist(),
}))
"""


def padded(products) -> list[str]:
    """Return five products at most, as many empty strings as are missing after them."""
    found = list(products) if hasattr(products, "__len__") else []
    return [*found, *[""] * (5 - len(found))]


@pytest.fixture(scope="module")
def served(run):
    """Answers of the exported model, loaded by plain TensorFlow in a fresh process."""
    models = outputs(run, "Trainer", "model/*/Format-Serving")
    model = min(models, key=lambda path: int(path.parent.name))
    rows = run.test_rows.merge(run.rows["test"], on="row_key", suffixes=("", "_raw"))
    rows = rows.drop_duplicates("row_key")
    raw = {
        "household_id": rows["household_id"].tolist() + ["nobody"],
        "Alter___gr__e": rows[AGE].fillna("").tolist() + [""],
        "at": rows["at"].tolist() + [0],
        "bought": [padded(products) for products in (*rows["bought"], None)],
    }
    done = subprocess.run(
        [sys.executable, "-c", _SERVE, str(model)],
        input=json.dumps(raw),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return SimpleNamespace(rows=rows, **json.loads(done.stdout.splitlines()[-1]))


def test_the_exported_index_ranks_as_the_trainer_did(run, served):
    """A score as good as equal to its neighbour's may end up on either side of it."""
    compared = 0
    answers = zip(served.product_ids, served.scores, served.rows.itertuples(), strict=False)
    for products, scores, row in answers:
        if row.product in products:
            place = products.index(row.product)
            near = np.flatnonzero(np.abs(np.subtract(scores, scores[place])) < 1e-4)
            assert near[0] <= row.rank <= near[-1]
            compared += 1
        else:
            assert not row.rank < 19
    assert compared > 10


def test_the_exported_index_answers_top_k_with_falling_scores(run, served):
    assert served.inputs == ["Alter___gr__e", "at", "bought", "household_id"]
    assert all(len(set(answer)) == 20 for answer in served.product_ids)
    assert all(scores == sorted(scores, reverse=True) for scores in served.scores)


def test_an_unknown_buyer_gets_an_answer(served):
    assert len(served.product_ids[-1]) == 20
    assert np.isfinite(served.scores[-1]).all()


def test_an_empty_split_fails_with_its_name(run):
    without = f"SELECT * FROM ({run.spec.examples.sql}) WHERE {SPLIT} != 'eval'"
    examples = run.spec.examples.replace(sql=without)
    from pipelines.errors import RunFailure

    with pytest.raises(RunFailure, match="The eval split has no rows"):
        execute(run.root, run.spec.replace(examples=examples, uid="2" * 12))


def test_inputs_of_any_name_stay_apart():
    from pipelines.models.serving import input_names

    columns = ["a b", "a-b", "a_b", "7", "_x", "a"]
    names = input_names(columns)
    assert list(names.values()) == ["a_b", "a_b__2", "a_b__3", "column_7", "column__x", "a"]


def test_a_changed_source_is_read_again(run):
    from pipelines.examples import example_gen

    def properties(fingerprint: str) -> str:
        examples = run.spec.examples.replace(fingerprint=fingerprint)
        component = example_gen(examples)
        assert component.id == "ExampleGen"
        return str(component.exec_properties["custom_config"])

    assert properties("a") == properties("a") != properties("b")
