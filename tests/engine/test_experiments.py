"""`ExperimentService`: every step of an experiment's life, one at a time."""

import pytest

from engine.backends.base import RunStatus
from engine.errors import EnvironmentNotReady, InvalidInput, NotAllowed, NotFound
from engine.experiments import ExperimentService
from engine.lease import Lease, LeaseLost
from engine.spec import ExperimentSpec
from engine.spec.run_folder import TRAINING_LOG, TRAINING_METRICS
from engine.store import documents, experiments, leases
from engine.store.models import ComponentRow, ExperimentRow
from tests.engine.sample_plans import DEFINITIONS, REQUEST
from tests.engine.scripted_backend import (
    DISK_FULL,
    START,
    at_component,
    ended,
    epoch_records,
    failure,
    metrics_of,
    training,
)


@pytest.fixture
def row(database):
    def load(number):
        with database.read() as session:
            return session.get(ExperimentRow, number)

    return load


@pytest.fixture
def components(database):
    def load(number):
        with database.read() as session:
            found = session.query(ComponentRow).filter_by(experiment_number=number)
            return [c.status for c in found.order_by("position")]

    return load


@pytest.fixture
def started(service, row):
    """An experiment that was created and submitted."""
    number = service.create_quick_test(REQUEST)
    assert service.submit_quick_test(number)
    return row(number)


def test_create_stores_everything_that_is_compared_later(service, row, database):
    number = service.create_quick_test(
        REQUEST.replace(name="First", tags=("quick",), hardware="small")
    )
    stored = row(number)
    assert (stored.status, stored.stage, stored.progress) == ("submitting", "Queued", 0.0)
    assert (stored.batch_size, stored.learning_rate, stored.sample_percent) == (256, 0.01, 10)
    assert (stored.buyer_tower_structure, stored.product_tower_structure) == ("64→32", "128→64→32")
    assert (stored.buyer_tensor_dim, stored.product_tensor_dim) == (16, 33)
    assert [f["tensor_dim"] for f in stored.product_features] == [32, 1]
    assert (stored.rows_train, stored.rows_eval, stored.rows_test) == (800, 150, 50)
    assert stored.created_at.utcoffset() is not None
    with database.read() as session:
        spec = documents.get(session, number, "spec", ExperimentSpec)
        assert (spec.uid, spec.number) == (stored.uid, number)


def test_create_refuses_before_anything_is_stored(service, backend, database):
    backend.ready = EnvironmentNotReady("No TensorFlow.", hint="Install it.")
    with pytest.raises(EnvironmentNotReady):
        service.create_quick_test(REQUEST)
    with pytest.raises(InvalidInput, match="vertex"):
        service.create_quick_test(REQUEST.replace(backend="vertex"))
    with database.read() as session:
        assert experiments.tracked(session) == []


def test_number_is_never_reused(service, backend):
    first = service.create_quick_test(REQUEST)
    service.cancel_quick_test(first)
    service.poll_experiment_status(first)
    service.delete_quick_test(first)
    service.poll_experiment_status(first)
    with pytest.raises(NotFound):
        service.poll_experiment_status(first)
    assert service.create_quick_test(REQUEST) == first + 1


def test_submission_is_noted_before_the_backend_is_asked(service, backend, row):
    number = service.create_quick_test(REQUEST)
    seen = []
    accept = backend.submit
    backend.submit = lambda spec: (seen.append(row(number).stage), accept(spec))
    service.submit_quick_test(number)
    assert seen == ["Starting"]


def test_backend_that_cannot_start_makes_the_experiment_wait(service, backend, row):
    number = service.create_quick_test(REQUEST)
    backend.refusal = DISK_FULL
    assert not service.submit_quick_test(number)
    waiting = row(number)
    assert (waiting.status, waiting.stage) == ("submitting", "Waiting")
    assert waiting.error_message == "The disk is full."
    backend.refusal = None
    assert service.submit_quick_test(number)
    backend.put(waiting.uid, at_component(0))
    service.poll_experiment_status(number)
    assert (row(number).status, row(number).error_message) == ("running", None)


def test_run_is_followed_through_its_stages(service, backend, row, started, components):
    backend.put(started.uid, at_component(1))
    service.poll_experiment_status(started.number)
    seen = row(started.number)
    assert (seen.status, seen.stage, seen.progress) == ("running", "Stats", 0.15)
    assert seen.started_at == START
    assert components(started.number) == ["completed", "running", "pending", "pending", "pending"]
    backend.put(started.uid, training(2, 3, step=45, steps=90))
    service.poll_experiment_status(started.number)
    assert row(started.number).stage == "Train, epoch 2 of 3"


def test_looking_again_without_news_writes_nothing(service, backend, row, started):
    backend.put(started.uid, at_component(1))
    service.poll_experiment_status(started.number)
    version = row(started.number).version
    service.poll_experiment_status(started.number)
    assert row(started.number).version == version


def test_completed_run_brings_its_results(service, backend, row, started):
    backend.results[started.uid] = metrics_of(recall=0.2, popularity=0.15)
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    done = row(started.number)
    assert (done.status, done.stage, done.progress) == ("completed", None, 1.0)
    assert (done.recall_at_100, done.recall_at_5, done.loss) == (0.2, 0.05, 7.5)
    assert done.difference == pytest.approx(0.05)
    assert (done.difference_low, done.difference_high) == (0.03, 0.07)
    assert done.rows_train == 801  # as counted by the run, not as estimated
    assert (done.ended_at - done.started_at).total_seconds() == 60
    assert done.artifacts_uri == f"memory://{done.uid}"


def test_results_are_there_before_the_verdict(service, backend, row, started):
    """A worker killed between the two leaves an experiment that is still running."""
    backend.results[started.uid] = metrics_of()
    backend.put(started.uid, at_component(4))
    service.poll_experiment_status(started.number)
    assert service.extract_results(started.number)
    seen = row(started.number)
    assert (seen.status, seen.recall_at_100) == ("running", 0.2)
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "completed"


def test_run_whose_metrics_nobody_can_read_has_failed(service, backend, row, started):
    backend.results[started.uid] = None
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    seen = row(started.number)
    assert (seen.status, seen.error_component) == ("failed", "Train")
    assert seen.error_message == (
        "The run ended, but its training_metrics.json is missing or too large."
    )
    assert seen.error_hint.endswith("Run it again.")


def test_run_whose_metrics_are_not_believed_has_failed_with_the_reason(
    service, backend, row, started
):
    backend.results[started.uid] = None
    backend.flaws[started.uid, TRAINING_METRICS] = "training_metrics.json can't be believed: no."
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    seen = row(started.number)
    assert (seen.status, seen.error_component, seen.recall_at_100) == ("failed", "Train", None)
    assert seen.error_message == "training_metrics.json can't be believed: no."


def test_a_run_goes_on_although_what_it_writes_is_not_believed(service, backend, row, started):
    backend.flaws[started.uid, TRAINING_LOG] = "training_log.jsonl can't be believed: no."
    backend.trained[started.uid] = epoch_records(1)
    for step in (1, 2):
        backend.put(started.uid, training(1, 3, step=step, steps=9))
        service.poll_experiment_status(started.number)
        seen = row(started.number)
        assert (seen.status, seen.stage) == ("running", "Train, epoch 1 of 3")
        assert seen.error_message == "training_log.jsonl can't be believed: no."
    version = seen.version
    service.poll_experiment_status(started.number)
    assert row(started.number).version == version
    del backend.flaws[started.uid, TRAINING_LOG]
    backend.put(started.uid, training(1, 3, step=3, steps=9))
    service.poll_experiment_status(started.number)
    assert row(started.number).error_message is None


def test_an_experiment_that_cannot_be_looked_at_waits_and_says_why(service, row):
    number = service.create_quick_test(REQUEST)
    service.note_trouble(number, EnvironmentNotReady("Nobody is signed in.", hint="Sign in."))
    seen = row(number)
    assert (seen.status, seen.stage) == ("submitting", "Waiting")
    assert (seen.error_message, seen.error_hint) == ("Nobody is signed in.", "Sign in.")


def test_failed_run_keeps_its_reason(service, backend, row, started):
    backend.put(started.uid, ended("failed", error=failure()))
    service.poll_experiment_status(started.number)
    failed = row(started.number)
    assert (failed.status, failed.error_component) == ("failed", "Train")
    assert failed.error_message == "The Trainer ran out of memory."
    assert failed.error_hint == "Use a smaller batch."


def test_killed_run_fails_when_seen_twice(service, backend, row, started, components):
    backend.trained[started.uid] = epoch_records(2)
    backend.put(started.uid, at_component(4).replace(phase="vanished"))
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "submitting"
    service.poll_experiment_status(started.number)
    failed = row(started.number)
    assert failed.status == "failed"
    assert "was interrupted: its processes ended" in failed.error_message
    assert failed.error_component == "Train"
    assert failed.stage is not None
    assert components(started.number)[-1] == "failed"


def test_run_that_shows_up_again_is_not_given_up(service, backend, row, started):
    for phase in ("vanished", "running", "vanished", "running"):
        backend.put(started.uid, at_component(2).replace(phase=phase))
        service.poll_experiment_status(started.number)
    assert row(started.number).status == "running"


def test_lost_run_folder_of_a_running_experiment_counts_as_killed(service, backend, row, started):
    backend.put(started.uid, at_component(2))
    service.poll_experiment_status(started.number)
    del backend.runs[started.uid]
    service.poll_experiment_status(started.number)
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "failed"


def test_cancel_of_a_queued_experiment_never_reaches_the_backend(service, backend, row):
    number = service.create_quick_test(REQUEST)
    service.cancel_quick_test(number)
    assert row(number).stage == "Cancelling"
    assert not service.submit_quick_test(number)
    service.poll_experiment_status(number)
    assert row(number).status == "cancelled"
    assert backend.submissions == []
    assert row(number).artifacts_uri is None


def test_cancel_of_a_running_experiment_waits_for_the_backend(service, backend, row, started):
    backend.put(started.uid, at_component(3))
    service.poll_experiment_status(started.number)
    service.cancel_quick_test(started.number)
    service.cancel_quick_test(started.number)
    service.poll_experiment_status(started.number)
    assert backend.cancelled == {started.uid}
    assert (row(started.number).status, row(started.number).stage) == ("running", "Cancelling")
    backend.put(started.uid, ended("cancelled"))
    service.poll_experiment_status(started.number)
    assert (row(started.number).status, row(started.number).stage) == ("cancelled", None)


def test_cancelled_run_that_was_killed_is_cancelled(service, backend, row, started):
    service.cancel_quick_test(started.number)
    backend.put(started.uid, at_component(3).replace(phase="vanished"))
    service.poll_experiment_status(started.number)
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "cancelled"


def test_run_that_completes_in_spite_of_a_cancel_is_completed(service, backend, row, started):
    service.cancel_quick_test(started.number)
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "completed"


def test_cancel_of_an_ended_experiment_is_refused(service, backend, started):
    backend.put(started.uid, ended("completed"))
    service.poll_experiment_status(started.number)
    with pytest.raises(NotAllowed, match="completed"):
        service.cancel_quick_test(started.number)


def test_delete_of_a_running_experiment_cancels_it_first(service, backend, row, started):
    backend.put(started.uid, at_component(3))
    service.poll_experiment_status(started.number)
    service.delete_quick_test(started.number)
    service.poll_experiment_status(started.number)
    assert backend.cancelled == {started.uid}
    assert backend.deleted == []
    backend.put(started.uid, ended("cancelled"))
    service.poll_experiment_status(started.number)
    assert (row(started.number).status, row(started.number).stage) == ("cancelled", None)
    service.poll_experiment_status(started.number)
    assert backend.deleted == [started.uid]
    assert row(started.number) is None


def test_delete_goes_on_where_a_crash_left_it(service, backend, row, started, database):
    backend.put(started.uid, ended("completed", outputs={"Examples": {"examples": ("/x",)}}))
    service.poll_experiment_status(started.number)
    service.delete_quick_test(started.number)
    backend.delete(started.uid)  # the worker was killed between run folder and row
    service.poll_experiment_status(started.number)
    assert row(started.number) is None
    with database.read() as session:
        assert session.query(ComponentRow).count() == 0
        assert documents.get(session, started.number, "spec", ExperimentSpec) is None


def test_rerun_keeps_definitions_and_changes_parameters(service, backend, row, planner, started):
    backend.put(started.uid, ended("failed"))
    service.poll_experiment_status(started.number)
    again = row(service.rerun_quick_test(started.number, {"learning-rate": "0.005", "epochs": "5"}))
    assert (again.parent_number, again.learning_rate, again.epochs) == (started.number, 0.005, 5)
    assert again.uid != started.uid
    assert planner.replanned == [DEFINITIONS]


def test_rerun_of_an_active_experiment_is_refused(service, started):
    with pytest.raises(NotAllowed, match="only one that has ended"):
        service.rerun_quick_test(started.number, {})


def test_operations_on_a_missing_number_say_so(service):
    for operation in (
        service.cancel_quick_test,
        service.delete_quick_test,
        service.poll_experiment_status,
        service.submit_quick_test,
        service.extract_results,
    ):
        with pytest.raises(NotFound, match="#99"):
            operation(99)
    with pytest.raises(NotFound):
        service.rerun_quick_test(99, {})


def test_outputs_in_the_cache_are_referenced(service, backend, started, cache, database):
    outputs = {
        "Examples": {"examples": (f"{cache}/ExampleGen/examples/7",)},
        "Stats": {"statistics": (f"{cache}/StatisticsGen/statistics/8/Split-train",)},
        "Train": {"model": ("/elsewhere/Trainer/model/9",)},
    }
    backend.put(started.uid, ended("completed", outputs=outputs))
    service.poll_experiment_status(started.number)
    with database.read() as session:
        assert experiments.referenced_cache(session) == {
            "ExampleGen/examples/7",
            "StatisticsGen/statistics/8",
        }


def test_intent_between_look_and_write_wins(service, backend, row, started, database):
    """The worker's stale write is refused; the next look takes the cancel into account."""
    seen_by = backend.status

    def cancelled_meanwhile(uid):
        backend.status = seen_by
        service.cancel_quick_test(started.number)
        return at_component(2)

    backend.status = cancelled_meanwhile
    service.poll_experiment_status(started.number)
    assert row(started.number).status == "submitting"
    backend.put(started.uid, at_component(2))
    service.poll_experiment_status(started.number)
    assert backend.cancelled == {started.uid}


def test_stale_owner_writes_nothing(database, backend, planner, cache, service, row):
    lease = Lease.take(database)
    stale = ExperimentService(database, {"local": backend}, planner, cache, lease)
    number = service.create_quick_test(REQUEST)
    stale.submit_quick_test(number)
    with database.write() as session:
        leases.release(session, lease.epoch)
    assert Lease.take(database).epoch == lease.epoch + 1
    backend.put(row(number).uid, at_component(1))
    with pytest.raises(LeaseLost):
        stale.poll_experiment_status(number)
    assert row(number).status == "submitting"


def test_starting_run_stays_submitting(service, backend, row, started):
    backend.put(started.uid, RunStatus(phase="starting"))
    service.poll_experiment_status(started.number)
    assert (row(started.number).status, row(started.number).stage) == ("submitting", "Starting")
