"""First runs of what `init` writes, judged by their baselines; docs/quality.md holds more seeds."""

import pytest

from tests.studies.quality import RESULTS, is_told, mean, results_of, run_defaults, table


def result(metric="recall_at_100", low=0.01, high=0.03, said=(), **changes):
    """Return a recorded result whose difference to its baseline has that interval."""
    middle = (low + high) / 2
    difference = {"metric": metric, "value": middle, "low": low, "high": high}
    against = "popularity" if metric.startswith("recall") else "bias"
    return {
        "case": "grocery", "type": "retrieval", "model": "m", "sample_percent": 10.0, "epochs": 3,
        "seed": 0, "seconds": 9.0, "peak_gigabytes": 1.5, "metrics": {metric: 0.3},
        "baseline": against,
        "compared": {against: {"name": against, metric: 0.3 - middle, "difference": difference}},
        "verdicts": said, **changes,
    }  # fmt: skip


def test_only_a_result_beyond_its_interval_has_to_be_told():
    assert is_told(result(low=-0.01, high=0.03))
    assert not is_told(result(low=-0.03, high=-0.01))
    assert is_told(result(low=-0.03, high=-0.01, said=("Recall@100 of 0.3 is below popularity's",)))
    assert is_told(result("test_rmse", low=-0.03, high=-0.01))
    assert not is_told(result("test_rmse", low=0.01, high=0.03))
    assert is_told(result("test_rmse", 0.01, 0.03, ("It is above (worse than) that of bias",)))


def test_a_result_without_a_difference_has_to_name_its_few_rows():
    bare = result()
    del bare["compared"]["popularity"]["difference"]
    assert not is_told(bare)
    assert is_told({**bare, "verdicts": ("Only 50 test rows: too few to tell.",)})


def test_the_table_has_means_over_the_seeds():
    row = table([result(), result(low=0.03, high=0.05, seed=1, seconds=11.0)]).splitlines()[-1]
    assert row == (
        "| grocery | m | 10%, 3 | 2 | recall_at_100 | 0.300 | 0.270 | 1.111 |"
        " +0.030 (+0.020 to +0.040) | – | – | 10 | 1.5 |"
    )


def test_the_documented_table_is_that_of_the_recorded_results():
    assert table(results_of()) in RESULTS.parents[1].joinpath("quality.md").read_text()


def test_no_recorded_run_is_behind_its_baseline_untold():
    assert all(is_told(found) for found in results_of())


def recorded(case: str, model: str, sample: float = 100) -> list[dict]:
    """Return the recorded runs of a case, one a seed."""
    asked = (case, model, sample)
    return [r for r in results_of() if (r["case"], r["model"], r["sample_percent"]) == asked]


@pytest.mark.parametrize(("sample", "ratio"), [(10, 1.3), (100, 1.8)])
def test_groceries_are_recommended_better_than_by_popularity(sample, ratio):
    runs = recorded("grocery", "retrieval-sum", sample)
    assert mean(runs, "recall_at_100") >= ratio * mean(runs, "recall_at_100", "popularity")


@pytest.mark.parametrize("sample", [10, 100])
def test_scores_with_the_buyers_history_are_not_worse_than_history_alone(sample):
    runs = recorded("grocery", "retrieval-sum-history", sample)
    assert mean(runs, "recall_at_100", "own_history", end="high") >= 0


def test_planted_tastes_are_recorded_to_be_found():
    runs = recorded("planted-20000", "retrieval-sum")
    assert mean(runs, "recall_at_100") >= 2 * mean(runs, "recall_at_100", "popularity")


def test_ratings_are_predicted_better_than_by_averages_and_both_tasks_keep_up():
    ranking, retrieval, both = (
        recorded("ratings", f"{kind}-sum") for kind in ("ranking", "retrieval", "multitask")
    )
    assert mean(ranking, "test_rmse") <= 0.98 * mean(ranking, "test_rmse", "bias")
    recall = mean(retrieval, "recall_at_100")
    assert recall > mean(retrieval, "recall_at_100", "popularity")
    assert mean(both, "recall_at_100") >= 0.97 * recall
    assert mean(both, "test_rmse") <= 1.03 * mean(ranking, "test_rmse")


@pytest.mark.slow
@pytest.mark.pipeline
@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_no_default_run_is_behind_its_baseline_untold(tmp_path, rows):
    for found in run_defaults(f"grocery-{rows}", tmp_path, (0,)):
        assert is_told(found), found


@pytest.mark.slow
@pytest.mark.pipeline
def test_planted_tastes_are_found_twice_as_often_as_by_popularity(tmp_path):
    found, *_ = run_defaults("planted-20000", tmp_path, (0,), model_types=("retrieval",))
    assert found["metrics"]["recall_at_100"] >= 2 * found["compared"]["popularity"]["recall_at_100"]


@pytest.mark.slow
@pytest.mark.pipeline
def test_a_tenth_of_the_groceries_gives_130_percent_of_popularity(tmp_path):
    towers, with_history = run_defaults("grocery", tmp_path, (0,), model_types=("retrieval",))
    popularity = towers["compared"]["popularity"]["recall_at_100"]
    assert towers["metrics"]["recall_at_100"] >= 1.3 * popularity
    assert with_history["compared"]["own_history"]["difference"]["high"] >= 0
