"""`TrainingCacheService`: live and final curves, thinned for long runs, never made worse."""

import pytest
from pydantic import ValidationError

from engine.errors import InvalidInput, NotFound
from engine.snapshots import TrainingHistory
from engine.spec.run_folder import GradientStats, Vocabulary, WeightNorms
from engine.store import experiments
from engine.training_cache import TrainingCacheService, kept_epochs
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import epoch_records, metrics_of


@pytest.fixture
def histories(database, backend):
    return TrainingCacheService(database, {"local": backend})


@pytest.fixture
def experiment(service, database):
    def create(epochs=3):
        number = service.create_quick_test(REQUEST.replace(epochs=epochs))
        with database.read() as session:
            return experiments.track(session, number)

    return create


@pytest.mark.parametrize(
    ("count", "planned", "kept"),
    [
        (0, 3, []),
        (3, 3, [0, 1, 2]),
        (20, 20, list(range(20))),
        (21, 21, [0, 5, 10, 15, 20]),
        (23, 23, [0, 5, 10, 15, 20, 22]),
        (1, 50, [0]),
        (7, 50, [0, 5, 6]),
    ],
)
def test_long_runs_keep_every_fifth_epoch_the_first_and_the_last(count, planned, kept):
    assert kept_epochs(count, planned=planned) == kept


def test_history_grows_while_the_run_trains(histories, backend, experiment):
    running = experiment()
    assert histories.cache_training_history(running.number) is None
    for epochs in (1, 2):
        backend.trained[running.uid] = epoch_records(epochs)
        histories.cache_training_history(running.number)
        assert histories.get_cached_history(running.number).epochs == tuple(range(epochs))
    assert histories.get_cached_history(running.number).final_metrics == {}


def test_final_history_has_the_structure_of_the_source_document(histories, backend, experiment):
    done = experiment(epochs=50)
    backend.results[done.uid] = metrics_of(epochs=23)
    histories.cache_training_history(done.number)
    cached = histories.get_cached_history(done.number).model_dump(mode="json")
    assert list(cached) == [
        "cached_at",
        "epochs",
        "loss",
        "gradient_norms",
        "examples_per_second",
        "epoch_metrics",
        "weight_stats",
        "gradient_stats",
        "vocabularies",
        "final_metrics",
        "params",
    ]
    assert cached["cached_at"].endswith("Z")
    assert cached["epochs"] == [0, 5, 10, 15, 20, 22]
    assert cached["loss"] == {
        "train": [10.0, 5.0, 0.0, -5.0, -10.0, -12.0],
        "val": [11.0, None, 1.0, None, -9.0, -11.0],
        "total": [10.5, 5.5, 0.5, -4.5, -9.5, -11.5],
    }
    assert cached["gradient_norms"]["total"] == [1.0, 6.0, 11.0, 16.0, 21.0, 23.0]
    assert cached["gradient_norms"]["query"][1] == 5.25
    assert cached["gradient_norms"]["candidate"][1] == 5.75
    assert cached["final_metrics"]["test_recall_at_100"] == 0.2
    assert cached["params"] == {"epochs": 23, "batch_size": 256, "learning_rate": 0.01}


def test_all_that_is_recorded_of_an_epoch_is_thinned_alike(histories, backend, experiment):
    done = experiment(epochs=50)
    epochs = tuple(float(epoch) for epoch in range(23))
    kept = (0.0, 5.0, 10.0, 15.0, 20.0, 22.0)
    stats = GradientStats(mean=epochs, std=epochs, minimum=epochs, maximum=epochs)
    known = Vocabulary(size=3, oov_share=0.5, coverage=0.25, missing_share=0)
    backend.results[done.uid] = metrics_of(epochs=23).replace(
        epoch_metrics={"val_rmse": epochs},
        weight_stats={"query": WeightNorms(l1=epochs, l2=epochs)},
        gradient_stats={"query": stats},
        vocabularies={"item": known},
    )
    cached = histories.cache_training_history(done.number)
    assert cached.epoch_metrics == {"val_rmse": kept}
    assert cached.weight_stats["query"].l2 == kept
    assert cached.gradient_stats["query"].std == kept
    assert cached.vocabularies == {"item": known}
    assert histories.get_cached_history(done.number) == cached


@pytest.mark.parametrize("field", ["epoch_metrics", "weight_stats", "gradient_stats"])
def test_curves_that_lack_an_epoch_are_refused(histories, backend, experiment, field):
    done = experiment(epochs=3)
    two = (1.0, 2.0)
    curves = {
        "epoch_metrics": two,
        "weight_stats": WeightNorms(l1=two, l2=two),
        "gradient_stats": GradientStats(mean=two, std=two, minimum=two, maximum=two),
    }
    backend.results[done.uid] = metrics_of(3).replace(**{field: {"query": curves[field]}})
    with pytest.raises(InvalidInput, match="different lengths"):
        histories.cache_training_history(done.number)


def test_metrics_of_a_running_epoch_are_shown_when_all_epochs_have_them(
    histories, backend, experiment
):
    running = experiment()
    first, second, third = epoch_records(3)
    backend.trained[running.uid] = [
        first.replace(metrics={"val_rmse": 2.0, "val_auc": 0.5}),
        second.replace(metrics={"val_rmse": 1.0}),
        third.replace(metrics={"val_rmse": 0.5}),
    ]
    cached = histories.cache_training_history(running.number)
    assert cached.epoch_metrics == {"val_rmse": (2.0, 1.0, 0.5)}


def test_live_and_final_curves_agree(histories, backend, experiment):
    done = experiment()
    backend.trained[done.uid] = epoch_records(3)
    live = histories.cache_training_history(done.number)
    backend.results[done.uid] = metrics_of(epochs=3)
    final = histories.cache_training_history(done.number)
    told_later = {"cached_at", "final_metrics", "params", "weight_stats"}
    assert live.model_dump(exclude=told_later) == final.model_dump(exclude=told_later)


def test_last_good_history_stays_when_nothing_comes(histories, backend, experiment):
    run = experiment()
    backend.trained[run.uid] = epoch_records(2)
    good = histories.cache_training_history(run.number)
    backend.trained[run.uid] = []
    assert histories.cache_training_history(run.number) == good
    assert histories.get_cached_history(run.number) == good


def test_unchanged_history_keeps_its_time(histories, backend, experiment):
    run = experiment()
    backend.trained[run.uid] = epoch_records(2)
    first = histories.cache_training_history(run.number)
    assert histories.cache_training_history(run.number).cached_at == first.cached_at


def test_history_that_is_too_large_is_refused_and_the_old_one_stays(histories, backend, experiment):
    run = experiment()
    backend.trained[run.uid] = epoch_records(1)
    good = histories.cache_training_history(run.number)
    huge = metrics_of(epochs=2)
    backend.results[run.uid] = huge.replace(params={"note": "x" * 1_000_001})
    with pytest.raises(InvalidInput, match="no more than"):
        histories.cache_training_history(run.number)
    assert histories.get_cached_history(run.number) == good


def test_curves_of_different_lengths_are_refused(histories, backend, experiment):
    run = experiment()
    torn = metrics_of(epochs=3)
    backend.results[run.uid] = torn.replace(epochs=(0, 1))
    with pytest.raises(InvalidInput, match="different lengths"):
        histories.cache_training_history(run.number)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), float("-inf")])
def test_figures_that_are_not_finite_are_refused(histories, backend, experiment, figure):
    run = experiment()
    backend.trained[run.uid] = epoch_records(1)
    history = histories.cache_training_history(run.number).model_dump()
    history["loss"]["train"] = (figure,)
    with pytest.raises(ValidationError):
        TrainingHistory.model_validate(history)


def test_unknown_experiment_is_not_found(histories):
    with pytest.raises(NotFound):
        histories.get_cached_history(7)
    with pytest.raises(NotFound):
        histories.cache_training_history(7)
