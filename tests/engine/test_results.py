"""What metrics say: columns to compare, and honest sentences."""

import pytest

from engine.results import (
    baseline,
    columns,
    references,
    rows_without_target,
    seen_in_train,
    verdicts,
)
from engine.spec.run_folder import Baseline, IndexReport, Interval, LossCurves, NewProducts, Rows
from tests.engine.scripted_backend import metrics_of


def test_columns_hold_the_figures_and_null_what_does_not_apply():
    found = columns(metrics_of(recall=0.2, popularity=0.15, low=0.03, high=0.07))
    assert found["recall_at_100"] == 0.2
    assert found["loss"] == 7.5
    assert found["rmse"] is None
    assert found["auc_roc"] is None
    assert (found["difference_low"], found["difference_high"]) == (0.03, 0.07)
    assert (found["rows_train"], found["rows_eval"], found["rows_test"]) == (801, 149, 500)


@pytest.mark.parametrize(
    ("low", "high", "relation"),
    [
        (0.03, 0.07, "above popularity's"),
        (-0.07, -0.03, "below popularity's"),
        (-0.01, 0.02, "not distinguishable from popularity's"),
        (0.0, 0.02, "not distinguishable from popularity's"),
    ],
)
def test_verdict_rests_on_the_paired_difference(low, high, relation):
    metrics = metrics_of(recall=0.2, popularity=0.15, low=low, high=high)
    (sentence,) = verdicts(metrics)
    assert sentence.startswith(f"Recall@100 of 0.2000 is {relation} 0.1500 (difference +0.0500")
    assert f"95% interval {low:+.4f} to {high:+.4f}" in sentence


def test_the_buyers_own_history_is_a_reference_with_a_sentence():
    difference = Interval(metric="recall_at_100", value=-0.1, low=-0.12, high=-0.08)
    history = Baseline(name="own_history", metrics={"recall_at_100": 0.3}, difference=difference)
    metrics = metrics_of(recall=0.2).replace(references=(history,))
    assert references(metrics)["own_history"].recall_at_100 == 0.3
    told = verdicts(metrics)[1]
    assert told.startswith(
        "Recall@100 of 0.2000 is below what the buyers' own purchase history gives, 0.3000"
        " (difference -0.1000"
    )
    assert told.endswith(": `own_history = true` adds it to the scores.")
    assert verdicts(metrics.replace(own_history=True))[1].endswith(" to -0.0800).")
    assert references(None) == {}


def test_towers_that_add_nothing_to_the_own_history_in_the_scores_are_told():
    difference = Interval(metric="recall_at_100", value=0.001, low=-0.002, high=0.004)
    history = Baseline(name="own_history", metrics={"recall_at_100": 0.3}, difference=difference)
    metrics = metrics_of(recall=0.301).replace(references=(history,))
    assert verdicts(metrics)[1].endswith(" to +0.0040).")
    told = verdicts(metrics.replace(own_history=True))[1]
    assert told.endswith(": the towers add nothing to it that this test could show.")


def test_recall_on_new_products_is_told_where_pairs_repeat():
    new = NewProducts(rows=300, metrics={"recall_at_100": 0.03}, popularity={"recall_at_100": 0.05})
    metrics = metrics_of().replace(new_products=new)
    assert verdicts(metrics)[1] == (
        "60% of the test rows are products that their buyer doesn't have in train: there"
        " Recall@100 is 0.0300, popularity's 0.0500."
    )
    nothing_repeats = metrics.replace(seen_in_train_share=0.0)
    assert len(verdicts(nothing_repeats)) == 1


def test_test_buyers_never_seen_are_told():
    sentences = verdicts(metrics_of(unknown_buyers=0.83))
    assert "83% of the test rows" in sentences[1]


def test_a_catalogue_that_fits_the_top_100_is_told():
    for products, instead in ((100, "Recall@50"), (60, "Recall@10"), (12, "Recall@5"), (9, "")):
        told = verdicts(metrics_of().replace(candidates=products))[1]
        assert f"only {products} products" in told
        assert (f"compare {instead} instead" in told) == bool(instead)
    assert len(verdicts(metrics_of().replace(candidates=101))) == 1
    rated = Interval(metric="test_rmse", value=0.9, low=0.8, high=1.0, level=0.95)
    of_ratings = metrics_of().replace(interval=rated, candidates=9)
    assert not any("only 9 products" in told for told in verdicts(of_ratings))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (1, "Only 1 test row: this result says nothing."),
        (19, "Only 19 test rows: this result says nothing."),
        (99, "Only 99 test rows: too few to conclude anything from this result."),
    ],
)
def test_few_test_rows_say_nothing(rows, said):
    few = metrics_of().replace(rows=Rows(train=801, eval=149, test=rows), candidates=9)
    assert verdicts(few) == (said,)


def test_an_interval_without_width_shows_nothing():
    metrics = metrics_of(recall=0.5, popularity=0.5, low=0.0, high=0.0)
    (sentence,) = verdicts(metrics)
    assert sentence.startswith("Recall@100 of 0.5000 cannot be told from popularity's 0.5000")


def test_warnings_come_first_unless_the_result_says_them_again():
    warnings = ("2 of 9 rows are left out.", "Only 3 test rows: beware.", "83% of the test rows"
                " are of buyers who are not in train.")  # fmt: skip
    assert verdicts(None, warnings) == warnings
    metrics = metrics_of(unknown_buyers=0.83).replace(rows=Rows(train=9, eval=3, test=3))
    first, second, third = verdicts(metrics, warnings)
    assert first == "2 of 9 rows are left out."
    assert second == "Only 3 test rows: this result says nothing."
    assert third.startswith("83% of the test rows are of buyers who are not in train: ")


def test_towers_that_learned_nothing_are_told_first():
    stuck = metrics_of().replace(chance_loss=8.0)  # the last train loss is 8
    first, second = verdicts(stuck)
    assert first.startswith("The towers learned nothing: the loss stayed at 8.000")
    assert second.startswith("Recall@100 of 0.2000 is above")
    assert len(verdicts(stuck.replace(chance_loss=8.1))) == 1


def test_the_retrieval_of_a_multitask_model_is_held_against_chance_by_its_own_loss():
    both = metrics_of().replace(model_type="multitask", chance_loss=8.0)
    stuck = both.replace(epoch_metrics={"retrieval_loss": (8.0,) * len(both.epochs)})
    assert verdicts(stuck)[0].startswith("The towers learned nothing")
    learnt = both.replace(epoch_metrics={"retrieval_loss": (8.0,) * (len(both.epochs) - 1) + (4,)})
    assert "learned nothing" not in " ".join(verdicts(learnt))


def test_a_model_that_adds_nothing_to_popularity_is_told():
    (sentence,) = verdicts(metrics_of(low=-0.01, high=0.02))
    assert sentence.endswith(
        ": the model adds nothing to what is popular that this test could show."
    )


def test_a_model_without_the_prior_may_equal_popularity():
    by_itself = metrics_of(low=-0.01, high=0.02).replace(popularity_prior=False)
    (sentence,) = verdicts(by_itself)
    assert sentence.endswith("95% interval -0.0100 to +0.0200).")


def test_many_products_that_train_lacks_are_told():
    told = verdicts(metrics_of().replace(unknown_product_share=0.31))[1]
    assert told == (
        "31% of the test rows are of products that are not in train and always count as misses."
    )


def test_a_validation_loss_that_rises_while_training_goes_on_is_told():
    metrics = metrics_of(epochs=5)
    curves = LossCurves(
        train=(9.0, 8.0, 7.0, 6.0, 5.0), val=(9.5, 9.0, 9.1, 9.3, 9.4), total=metrics.loss.total
    )
    told = verdicts(metrics.replace(loss=curves))
    assert told[1].startswith("It overfits: the validation loss was lowest after epoch 2 (9.000)")
    flat = curves.replace(val=(9.5, 9.0, 9.0, 9.05, 9.08))
    assert len(verdicts(metrics.replace(loss=flat))) == 1
    for kept in ({"stopped_early": True}, {"best_epoch": 1}):
        told = verdicts(metrics.replace(loss=curves, **kept))
        assert not any(sentence.startswith("It overfits") for sentence in told)


def test_early_stopping_is_told_with_its_epoch():
    metrics = metrics_of(epochs=3)
    stopped = metrics.replace(stopped_early=True, params=metrics.params | {"epochs": 20})
    assert verdicts(stopped)[1] == (
        "Training stopped early, at epoch 3 of 20: the result is that of the best epoch."
    )
    told = verdicts(stopped.replace(best_epoch=0))[1]
    assert told.endswith("the result is that of epoch 1, the best.")
    assert columns(stopped)["epochs_trained"] == 3


def test_rows_without_a_target_are_told():
    rated = metrics_of().replace(model_type="multitask", rows_without_target=40)
    assert "40 of the 500 test rows have no target" in verdicts(rated)[1]
    assert rows_without_target(rated) == 40
    assert rows_without_target(metrics_of()) is None


def test_too_few_test_rows_claim_nothing_anywhere():
    few = metrics_of(low=0.03, high=0.07).replace(
        rows=Rows(train=801, eval=149, test=99),
        model_type="multitask",
        stopped_early=True,
        rows_without_target=4,
        unknown_product_share=0.4,
        chance_loss=8.0,
    )
    about_rows, cold = verdicts(few)
    assert about_rows.startswith("Only 99 test rows")
    assert cold.startswith("40% of the test rows are of products")
    assert baseline(few).difference is None
    assert columns(few)["difference"] is None


def test_recall_on_new_products_is_a_figure_beside_popularitys():
    new = NewProducts(rows=300, metrics={"recall_at_100": 0.03}, popularity={"recall_at_100": 0.05})
    metrics = metrics_of().replace(new_products=new)
    assert columns(metrics)["new_recall_at_100"] == 0.03
    assert baseline(metrics).new_recall_at_100 == 0.05
    assert columns(metrics_of())["new_recall_at_100"] is None


def test_of_errors_below_is_better():
    difference = Interval(metric="test_rmse", value=-0.02, low=-0.03, high=-0.01)
    ranking = metrics_of().replace(
        interval=Interval(metric="test_rmse", value=0.88, low=0.87, high=0.89),
        final_metrics={"loss": 0.5, "test_rmse": 0.88},
        baseline=Baseline(name="bias", metrics={"test_rmse": 0.9}, difference=difference),
    )
    sentence = verdicts(ranking)[0]
    assert sentence.startswith(
        "test RMSE of 0.8800 is below (better than) that of the averages of buyers and products"
        " (bias), 0.9000 (difference -0.0200"
    )
    worse = difference.replace(value=0.02, low=0.01, high=0.03)
    above = verdicts(ranking.replace(baseline=ranking.baseline.replace(difference=worse)))
    assert "is above (worse than)" in above[0]


def test_baseline_and_seen_in_train_come_from_the_metrics():
    metrics = metrics_of(popularity=0.15, unknown_buyers=0.1)
    assert baseline(metrics).recall_at_100 == 0.15
    assert baseline(metrics).recall_at_5 is None
    assert baseline(metrics).difference.value == pytest.approx(0.05)
    seen = seen_in_train(metrics)
    assert (seen.pairs, seen.buyers, seen.products, seen.candidates) == (0.4, 0.9, 0.75, 120)
    assert baseline(None) is None
    assert seen_in_train(None) is None


def test_an_index_that_misses_much_is_told():
    index = IndexReport(
        kind="scann", products=20_000, top_k=100, num_leaves=141, leaves_to_search=1,
        recall=0.714, milliseconds=0.5, brute_force_milliseconds=1.0,
    )  # fmt: skip
    assert verdicts(metrics_of().replace(index=index))[1] == (
        "The exported index finds 71% of the products that brute force finds, so it answers worse"
        " than the figures here: raise leaves_to_search, or take brute_force."
    )
    good = index.replace(recall=0.9)
    assert len(verdicts(metrics_of().replace(index=good))) == 1


def test_an_index_is_told_on_one_line():
    index = IndexReport(
        kind="scann", products=20_000, top_k=100, num_leaves=141, leaves_to_search=15,
        recall=0.9567, milliseconds=0.51, brute_force_milliseconds=1.04,
    )  # fmt: skip
    assert str(index) == (
        "ScaNN, 15 of 141 leaves over 20,000 products, finds 95.7% of the top 100,"
        " 0.5 ms a query (brute force 1.0 ms)"
    )
    exact = IndexReport(
        kind="brute_force", products=1_200, top_k=100, recall=1.0, milliseconds=0.3,
        brute_force_milliseconds=0.3,
    )  # fmt: skip
    assert str(exact) == "brute force over 1,200 products, 0.3 ms a query"
