import numpy as np
import pytest

from engine.spec.uncertainty import clustered_interval
from pipelines.errors import RunFailure
from pipelines.evaluation import candidates_of, evaluate_ratings, evaluate_retrieval, joined
from tests.pipelines.interactions import interactions

NAN = np.nan
TRAIN = interactions([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")], labels=[5, 3, 4, NAN])
EVAL = interactions([("a", "x"), ("b", "y"), ("b", "x")], labels=[4, 2, NAN])
TEST = interactions([("a", "y"), ("b", "x"), ("new", "x"), ("a", "?")], labels=[2, 4, NAN, 3])


def evaluated(eval_predictions=(3, 3, 99), test_predictions=(4, 4, 99, 4), **splits):
    return evaluate_ratings(
        np.array(eval_predictions, np.float32),
        np.array(test_predictions, np.float32),
        **{"train": TRAIN, "validation": EVAL, "test": TEST, "seed": 0, **splits},
    )


def test_errors_are_of_the_rows_with_a_target():
    metrics = evaluated().metrics
    assert metrics == pytest.approx(
        {"rmse": 1, "mae": 1, "test_rmse": (5 / 3) ** 0.5, "test_mae": 1}
    )


def test_rows_without_a_target_have_neither_label_nor_predictions():
    found = evaluated()
    assert found.rows_without_target == 1
    rows = found.rows.to_pydict()
    assert rows["label"] == [2, 4, None, 3]
    assert rows["prediction"] == [4, 4, None, 4]
    assert [value is None for value in rows["bias_prediction"]] == [False, False, True, False]
    assert rows["seen_in_train"] == [True, True, False, False]


def test_the_bias_baseline_is_measured_on_the_same_rows():
    found = evaluated()
    rows = found.rows.to_pandas().dropna()
    error = rows.bias_prediction - rows.label
    assert found.baseline.name == "bias"
    assert found.baseline.metrics["test_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found.baseline.metrics["test_mae"] == pytest.approx(np.mean(np.abs(error)))
    assert set(found.baseline.metrics) == set(found.metrics)


def many(rows, seed, noise=1.0):
    rng = np.random.default_rng(seed)
    buyer, product = rng.integers(0, 20, rows), rng.integers(0, 9, rows)
    labels = 3 + 0.1 * buyer + noise * rng.normal(size=rows)
    pairs = [(f"b{b}", f"p{p}") for b, p in zip(buyer, product, strict=True)]
    return interactions(pairs, labels=labels)


def test_intervals_are_of_roots_and_of_their_paired_difference():
    splits = {"train": many(500, 0), "validation": many(80, 1), "test": many(300, 2)}
    guess = np.full(300, 3.5)
    found = evaluated(np.full(80, 3.5), guess, **splits)
    rows = found.rows.to_pandas()
    squares = np.stack(
        [(rows.prediction - rows.label) ** 2, (rows.bias_prediction - rows.label) ** 2], axis=1
    )
    expected = clustered_interval(
        squares,
        rows.buyer,
        seed=0,
        statistic=lambda m: np.sqrt(m[..., 0]) - np.sqrt(m[..., 1]),
        level=0.99,
    )
    difference = found.baseline.difference
    recorded = (difference.value, difference.low, difference.high, difference.level)
    assert recorded == pytest.approx(tuple(expected))
    assert difference.value == pytest.approx(
        found.metrics["test_rmse"] - found.baseline.metrics["test_rmse"]
    )
    assert found.interval.metric == difference.metric == "test_rmse"
    assert found.interval.low < found.interval.value == found.metrics["test_rmse"]


def test_auc_is_measured_where_the_test_labels_are_binary():
    train = TRAIN._replace(label=np.array([1, 0, 1, 0], np.float32))
    validation = EVAL._replace(label=np.array([1, 0, NAN], np.float32))
    test = TEST._replace(label=np.array([1, 0, NAN, 1], np.float32))
    splits = {"train": train, "validation": validation, "test": test}
    found = evaluated((0.5, 0.5, NAN), (0.9, 0.5, NAN, 0.5), **splits)
    assert found.metrics["auc_roc"] == 0.75
    assert "auc_roc" in found.baseline.metrics
    assert "auc_roc" not in evaluated(**splits, binary=False).metrics
    one_class = {**splits, "test": test._replace(label=np.array([1, 1, NAN, 1], np.float32))}
    assert "auc_roc" not in evaluated(**one_class).metrics


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_split_without_a_target_is_refused(split, missing):
    rows = {"train": TRAIN, "validation": EVAL, "test": TEST}[split]
    label = None if missing else np.full(len(rows.buyer), NAN, np.float32)
    name = "eval" if split == "validation" else split
    with pytest.raises(RunFailure, match=f"No row of the {name} split has a value of the target"):
        evaluated(**{split: rows._replace(label=label)})


@pytest.mark.parametrize(
    ("predictions", "split"),
    [
        ({"eval_predictions": (3, np.inf, 3)}, "eval"),
        ({"test_predictions": (4, NAN, 4, 4)}, "test"),
    ],
)
def test_predictions_that_are_no_numbers_are_refused(predictions, split):
    with pytest.raises(RunFailure, match=f"rows of the {split} split are not finite"):
        evaluated(**predictions)


@pytest.mark.parametrize(
    ("weight", "metric", "baseline", "references"),
    [
        (0.5, "recall_at_100", "popularity", ["own_history", "item_to_item", "bias"]),
        (0.0, "test_rmse", "bias", ["popularity", "own_history", "item_to_item"]),
    ],
)
def test_a_multitask_model_has_both_tasks_metrics(weight, metric, baseline, references):
    retrieval = evaluate_retrieval(
        lambda rows: np.zeros((4, 2), np.float32)[rows],
        train=TRAIN, test=TEST, candidates=candidates_of(TRAIN), seed=0,
    )  # fmt: skip
    ratings = evaluated()
    found = joined(retrieval, ratings, retrieval_weight=weight)
    assert found.metrics == {**retrieval.metrics, **ratings.metrics}
    assert (found.interval.metric, found.baseline.name) == (metric, baseline)
    assert found.baseline.difference.metric == metric
    assert [reference.name for reference in found.references] == references
    bias = next(b for b in (found.baseline, *found.references) if b.name == "bias")
    assert bias == ratings.baseline
    assert bias.difference.metric == "test_rmse"
    assert found.new_products == retrieval.new_products
    assert found.rows_without_target == 1
    assert found.rows.to_pydict() == {**retrieval.rows.to_pydict(), **ratings.rows.to_pydict()}
