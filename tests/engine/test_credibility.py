"""What Trainers' files may say: each nonsense is refused in a sentence that names the field."""

import json
from datetime import UTC, datetime

import pytest

from engine.credibility import NotCredible, believed
from engine.spec.run_folder import (
    Baseline,
    EpochRecord,
    GradientStats,
    Histograms,
    IndexReport,
    Interval,
    NewProducts,
    Progress,
    TrainingMetrics,
    Vocabulary,
)
from tests.engine.scripted_backend import START, epoch_records, metrics_of
from tests.faults.standin import standin_histograms, standin_metrics

ABSENT = object()
NEW = NewProducts(rows=300, metrics={"recall_at_100": 0.03}, popularity={"recall_at_100": 0.05})
INDEX = IndexReport(
    kind="scann",
    products=120,
    top_k=100,
    num_leaves=10,
    leaves_to_search=3,
    recall=0.9,
    milliseconds=0.2,
    brute_force_milliseconds=1.0,
)
HISTORY = Baseline(
    name="own_history",
    metrics={"recall_at_100": 0.3},
    difference=Interval(metric="recall_at_100", value=-0.1, low=-0.2, high=0.0),
)
FULL = metrics_of(3).replace(
    gradient_stats={
        "query": GradientStats(
            mean=(0.0, 0.1, 0.2), std=(1, 1, 1), minimum=(-1, -2, -3), maximum=(1, 2, 3)
        )
    },
    epoch_metrics={"val_recall_at_100": (0.1, 0.2, 0.3), "val_rmse": (3.0, 2.0, 1.0)},
    new_products=NEW,
    index=INDEX,
    references=(HISTORY,),
    vocabularies={"item": Vocabulary(size=120, oov_share=0.1, coverage=0.9, missing_share=0.0)},
)


def with_value(record, path, value):
    """Return the JSON of a record with one value changed or, if ABSENT, without it."""
    content = json.loads(record.model_dump_json())
    place = content
    *parents, last = path
    for name in parents:
        place = place[name]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return json.dumps(content).encode()


def refused(kind, data):
    """Return why a file isn't believed."""
    with pytest.raises(NotCredible) as raised:
        believed(kind, data)
    reason = str(raised.value)
    assert reason.isprintable()
    assert len(reason) < 500
    return reason


@pytest.mark.parametrize("metrics", [FULL, metrics_of(1), standin_metrics(4)])
def test_what_runs_write_is_believed(metrics):
    assert believed(TrainingMetrics, metrics.model_dump_json(indent=1).encode()) == metrics


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["final_metrics", "recall_at_100"], 7, "recall_at_100 is 7, but a share is between 0 and"),
        (["final_metrics", "recall_at_5"], -1, "final_metrics.recall_at_5 is -1, but a share"),
        (["final_metrics", "recall_at_50"], 0.01, "recall_at_50 is 0.01, less than recall_at_10's"),
        (["final_metrics", "rmse"], -0.5, "final_metrics.rmse is -0.5, but it can't be below 0"),
        (["final_metrics", "loss"], 1e308, "final_metrics.loss is 1e+308, but no model computes"),
        (["final_metrics", "loss"], "7.5", "final_metrics.loss is wrong (input should be a valid"),
        (["final_metrics", "loss"], True, "final_metrics.loss is wrong"),
        (["final_metrics", "loss"], None, "final_metrics.loss is wrong"),
        (["final_metrics", "recall_at_100"], ABSENT, 'names "recall_at_100", of which there is no'),
        (["final_metrics"], [0.2], "final_metrics is wrong"),
        (["final_metrics", "\x1b]0;owned\x07[red]recall_at_9"], [1], "␛]0;owned␇[red]recall_at_9"),
        (["loss", "val"], [1.0, 2.0], "loss.val has 2 values for 3 epochs"),
        (["loss", "train", 1], 1e39, "loss.train[1] is 1e+39"),
        (["gradient", "query", 2], -1.0, "gradient.query[2] is -1, but it can't be below 0"),
        (["weight_stats", "query", "l2"], [], "weight_stats.query.l2 has 0 values for 3 epochs"),
        (["weight_stats", "attic"], {}, "weight_stats.attic"),
        (["gradient_stats", "query", "maximum", 0], -9, "gradient_stats.query has a minimum above"),
        (
            ["epoch_metrics", "val_recall_at_100", 2],
            1.5,
            "val_recall_at_100[2] is 1.5",
        ),
        (["epoch_metrics", "val_rmse"], [1.0] * 4, "val_rmse has 4 values for 3 epochs"),
        (["epochs"], [], "epochs is empty"),
        (["epochs"], [0, 2, 1], "epochs doesn't ascend"),
        (["epochs", 2], 10**30, "epochs[2] is 100000… (31 digits)"),
        (["epochs", 0], -1, "epochs[0] is -1, but a count can't be below 0"),
        (["epochs", 0], 0.0, "epochs[0] is wrong"),
        (["best_epoch"], 3, "best_epoch is 3, of 3 epochs counted from 0"),
        (["stopped_early"], "yes", "stopped_early is wrong"),
        (["params", "learning_rate"], 1e300, "params.learning_rate is 1e+300"),
        (["params", "optimizer"], "x" * 1_001, "params has a text of more than 1,000 characters"),
        (["rows", "test"], 0, "rows has no row to train on or to test on"),
        (["rows", "train"], 2**63, "rows.train is 922337203685477580"),
        (["rows", "eval"], 10**4000, "rows.eval is 100000… (4001 digits)"),
        (["candidates"], 0, "candidates is wrong (input should be greater than or equal to 1)"),
        (["rows_without_target"], 501, "rows_without_target is 501, of 500 test rows"),
        (["unknown_buyer_share"], 1.01, "unknown_buyer_share is 1.01"),
        (["interval", "low"], 0.9, "interval goes from 0.9 down to 0.21, so it is none"),
        (["interval", "value"], 0.5, "interval.value is 0.5, but the figures say 0.2"),
        (["interval", "level"], 95, "interval.level is 95, but it is between 0 and 1"),
        (["interval", "metric"], "recall_at_7", 'interval.metric names "recall_at_7", of which'),
        (["baseline", "metrics", "recall_at_100"], 7, "baseline.metrics.recall_at_100 is 7"),
        (["baseline", "metrics"], {}, "baseline.difference.metric names"),
        (["baseline", "difference", "low"], 0.5, "baseline.difference goes from 0.5 down to 0.07"),
        (["baseline", "difference", "high"], 5, "baseline.difference.high is 5, but shares differ"),
        (["baseline", "difference", "value"], 0.5, "is 0.5, but the figures say 0.05"),
        (["baseline", "name"], "chance", "baseline.name is wrong"),
        (["references", 0, "name"], "popularity", "a reference is there twice"),
        (["new_products", "rows"], 501, "new_products.rows is 501, of 500 test rows"),
        (["new_products", "popularity"], {}, "new_products.popularity.recall_at_100 is missing"),
        (
            ["new_products", "metrics", "recall_at_100"],
            2,
            "metrics.recall_at_100 is 2",
        ),
        (["vocabularies", "item", "coverage"], -0.1, "vocabularies.item.coverage is -0.1"),
        (["vocabularies", "item", "size"], -1, "vocabularies.item.size is -1"),
        (["vocabulary_sizes", "[b]\u202e"], -1, "vocabulary_sizes.[b]<U+202E> is -1"),
        (["index", "num_leaves"], None, "index.num_leaves is missing"),
        (["index", "recall"], 90, "index.recall is 90"),
        (["index", "milliseconds"], -1, "index.milliseconds is -1"),
        (["surprise"], 1, "surprise is unknown"),
        (["loss"], ABSENT, "loss is missing"),
        (["saved_at"], "yesterday", "saved_at is wrong"),
    ],
)
def test_metrics_that_cannot_be_true_are_refused_with_the_field(path, value, reason):
    assert reason in refused(TrainingMetrics, with_value(FULL, path, value))


def test_a_run_that_stopped_early_says_of_how_many_epochs():
    metrics = FULL.replace(stopped_early=True, params={})
    assert "params.epochs doesn't say" in refused(
        TrainingMetrics, metrics.model_dump_json().encode()
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is no valid JSON"),
        (b"{", "it is no valid JSON"),
        (b"\xff\xfe", "it is no valid JSON"),
        (b"null", "it is wrong"),
        (b"[" * 100_000, "it is no valid JSON (recursion limit exceeded"),
        (b'{"epochs": [' + b"9" * 5_000 + b"]}", "it is no valid JSON (number out of range"),
        (b'{"epochs": [' + b'"a",' * 50_000 + b"0]}", "of its values are of the wrong kind"),
        (b'{"epochs": [' + b"0," * 2_000_000 + b"0]}", "it has more than 1,000,000 values"),
    ],
)
def test_what_is_no_such_json_is_refused(data, reason):
    assert reason in refused(TrainingMetrics, data)


def test_a_name_that_is_there_twice_is_refused():
    data = FULL.model_dump_json().replace('"candidates":', '"candidates":7,"candidates":')
    assert refused(TrainingMetrics, data.encode()) == "candidates is there twice"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["epoch"], -1, "epoch is -1"),
        (["epoch"], 10**30, "epoch is 100000… (31 digits), more than"),
        (["train_loss"], 1e308, "train_loss is 1e+308"),
        (["gradient_norm_query"], -1, "gradient_norm_query is -1"),
        (["examples_per_second"], "fast", "examples_per_second is wrong"),
        (["metrics"], {"val_recall_at_100": 7}, "metrics.val_recall_at_100 is 7, but a share"),
        (["metrics"], {"val_rmse": -7}, "metrics.val_rmse is -7"),
        (["metrics"], {"x" * 1_001: 1}, "metrics has too many or too long names"),
    ],
)
def test_epochs_that_cannot_be_true_are_refused(path, value, reason):
    (record,) = epoch_records(1)
    assert reason in refused(EpochRecord, with_value(record, path, value))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 4}, "epoch is 4, of 3 epochs"),
        ({"epochs": 10**30}, "epochs is 100000… (31 digits)"),
        ({"step": 31}, "step is 31, of 30 steps"),
        ({"step": -1}, "step is -1"),
        ({"steps": 2**60, "step": 0}, "more than can be counted here"),
    ],
)
def test_progress_that_cannot_be_true_is_refused(changes, reason):
    progress = Progress(phase="training", epoch=1, epochs=3, step=9, steps=30, updated_at=START)
    assert believed(Progress, progress.model_dump_json().encode()) == progress
    data = progress.replace(**changes).model_dump_json().encode()
    assert reason in refused(Progress, data)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["epochs"], [0], "towers.query.weights.counts has 2 rows for 1 epochs"),
        (["towers", "query", "weights", "edges"], [-1, 1, 0], "weights.edges doesn't ascend"),
        (["towers", "query", "weights", "edges"], [0], "weights.edges has no bin"),
        (["towers", "query", "weights", "edges", 2], 1e308, "weights.edges[2] is 1e+308"),
        (["towers", "query", "gradients", "counts", 1], [3], "counts[1] has 1 values for 2 bins"),
        (["towers", "query", "gradients", "counts", 1, 0], -4, "gradients.counts[1][0] is -4"),
        (
            ["towers", "query", "layers", "output", "counts", 0, 0],
            10**30,
            "output.counts[0]",
        ),
        (["towers", "third"], {}, "towers.third"),
    ],
)
def test_histograms_that_cannot_be_true_are_refused(path, value, reason):
    histograms = standin_histograms(2)
    assert believed(Histograms, histograms.model_dump_json().encode()) == histograms
    assert reason in refused(Histograms, with_value(histograms, path, value))


def test_times_are_times():
    (record,) = epoch_records(1)
    ended = record.replace(ended_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert believed(EpochRecord, ended.model_dump_json().encode()) == ended
