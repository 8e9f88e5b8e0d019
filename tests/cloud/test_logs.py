"""`PipelineLogsService` against a server that counts: what is shown, and how often it is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.aiplatform_v1 import PipelineJob, PipelineTaskDetail

from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.logs import KEPT_SECONDS, PipelineLogsService
from engine.backends.vertex.logs import LISTS_A_MINUTE as LISTS_A_MINUTE_HERE
from engine.backends.vertex.target import target_of
from engine.errors import EnvironmentNotReady
from engine.spec.run_folder import COMPONENT_NAMES, TFX_NAMES
from pipelines.errors import RunFailure
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.cloud.servers.logs import LISTS_A_MINUTE, Logging

__all__ = ["cloud", "served"]

State = PipelineTaskDetail.State
NOW = datetime.now(UTC)
PARENT = "projects/123456789012/locations/europe-central2"
PIPELINE = "aiplatform.googleapis.com/PipelineJob"


class Clock:
    """Seconds that a test moves, for the service and the server alike."""

    def __init__(self) -> None:
        self.seconds = 1e6

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(cloud: Cloud, clock: Clock) -> Iterator[Logging]:
    """The log, empty and with the test's clock."""
    log = cloud.logging
    log.forget()
    with _clock_of(log, clock):
        yield log
    log.forget()


@contextmanager
def _clock_of(log: Logging, clock: Callable[[], float]) -> Iterator[None]:
    before = log.clock
    log.clock = clock
    yield
    log.clock = before


@pytest.fixture
def service(cloud: Cloud, log: Logging, clock: Clock) -> PipelineLogsService:
    clients = Clients(target_of(cloud.settings), cloud.settings.endpoints, Patience(2, 4, 0.01))
    return PipelineLogsService(clients, clock)


def task(name: str, state: State, number: int, **detail: object) -> PipelineTaskDetail:
    container = {"main_job": f"{PARENT}/customJobs/{number}", **detail}
    ended = state in (State.SUCCEEDED, State.FAILED)
    return PipelineTaskDetail(
        task_name=name,
        state=state,
        end_time=NOW - timedelta(hours=1) if ended else None,
        executor_detail={"container_detail": container} if number else {},
    )


def job(*tasks: PipelineTaskDetail, **values: object) -> PipelineJob:
    return PipelineJob(
        name=f"{PARENT}/pipelineJobs/qt-1-a1",
        create_time=NOW - timedelta(hours=2),
        job_detail={"task_details": tasks},
        **values,
    )


def write(log: Logging, number: int, message: str, minute: int, severity: str = "INFO") -> None:
    at = NOW - timedelta(minutes=90) + timedelta(minutes=minute)
    log.write("ml_job", {"job_id": str(number)}, message, severity=severity, at=at)


def messages(service: PipelineLogsService, found: PipelineJob, component: str) -> list[str]:
    return [entry.message for entry in service.get_component_logs(found, component)]


def test_the_50_newest_come_newest_first_of_one_call(service: PipelineLogsService, log: Logging):
    for minute in range(70):
        write(log, 7, f"line {minute}", minute)
    found = job(task("Trainer", State.RUNNING, 7))
    assert messages(service, found, "Train") == [f"line {n}" for n in range(69, 19, -1)]
    assert len(log.filters) == 1


@pytest.mark.parametrize(
    ("line", "severity", "message"),
    [
        ("I1126 16:23:32.172000 140 /tfx/base.py:12] Training", "INFO", "base: Training"),
        ("W1126 16:23:32.172000 140 base.py:12] Slow:\nvery", "WARNING", "base: Slow:\nvery"),
        ("2026-11-26 16:23:32.172: E external/xla/cuda.cc:9] no GPU", "ERROR", "cuda: no GPU"),
        ("F1126 16:23:32.172000 140 x.cc:1] Gone", "ERROR", "x: Gone"),
        ("ValueError: I am bad:1] so", "ERROR", "ValueError: I am bad:1] so"),
    ],
)
def test_a_line_s_own_level_counts_whatever_stream_it_went_to(
    service: PipelineLogsService, log: Logging, line: str, severity: str, message: str
):
    write(log, 7, line, 1, "ERROR")
    (entry,) = service.get_component_logs(job(task("Trainer", State.RUNNING, 7)), "Train")
    assert (entry.severity, entry.message) == (severity, message)


def test_failed_attempts_are_shown_with_the_last_one(service: PipelineLogsService, log: Logging):
    write(log, 6, "out of memory", 1, "ERROR")
    write(log, 7, "again", 2)
    write(log, 8, "of another component", 3)
    detail = task("Trainer", State.RUNNING, 7, failed_main_jobs=[f"{PARENT}/customJobs/6"])
    assert messages(service, job(detail), "Train") == ["again", "out of memory"]


def test_without_entries_of_its_own_it_shows_those_of_the_pipeline_job(
    service: PipelineLogsService, log: Logging
):
    log.write(PIPELINE, {"pipeline_job_id": "qt-1-a1"}, "no such image", severity="ERROR", at=NOW)
    log.write(PIPELINE, {"pipeline_job_id": "qt-2-a1"}, "of another job", at=NOW)
    failed = task("Trainer", State.FAILED, 7)
    assert messages(service, job(failed), "Train") == ["no such image"]
    assert messages(service, job(task("Trainer", State.FAILED, 0)), "Train") == ["no such image"]
    assert messages(service, job(end_time=NOW), "Examples") == ["no such image"]


def test_of_a_component_that_has_not_begun_nothing_is_asked(
    service: PipelineLogsService, log: Logging
):
    found = job(task("ExampleGen", State.RUNNING, 5), task("Trainer", State.PENDING, 0))
    assert messages(service, found, "Train") == []
    assert messages(service, found, "Transform") == []
    assert log.filters == []


def test_answers_are_kept_for_a_while_and_for_good_once_a_component_has_ended(
    service: PipelineLogsService, log: Logging, clock: Clock
):
    running, ended = task("Trainer", State.RUNNING, 7), task("ExampleGen", State.SUCCEEDED, 5)
    for number in (5, 7):
        write(log, number, "first", 1)
    found = job(ended, running)
    for component in ("Examples", "Train", "Train"):
        assert messages(service, found, component) == ["first"]
    assert len(log.filters) == 2
    for number in (5, 7):
        write(log, number, "second", 2)
    clock.seconds += KEPT_SECONDS
    assert messages(service, found, "Examples") == ["first"]
    assert messages(service, found, "Train") == ["second", "first"]
    running.state = State.FAILED
    write(log, 7, "third", 3)
    assert messages(service, job(ended, running), "Train") == ["third", "second", "first"]


def test_following_a_whole_experiment_stays_within_the_quota(
    service: PipelineLogsService, log: Logging, clock: Clock, cloud: Cloud
):
    tasks = [task(name, State.SUCCEEDED, n) for n, name in enumerate(TFX_NAMES, start=1)]
    tasks[-1] = task("Trainer", State.RUNNING, 9)
    cloud.logging.faults.calls.clear()
    for _ in range(4 * 60):  # two minutes of `logs --follow`
        clock.seconds += 0.5
        for component in COMPONENT_NAMES:
            service.get_component_logs(job(*tasks), component)
    assert cloud.logging.faults.calls["ListLogEntries"] <= LISTS_A_MINUTE


def test_a_quota_that_is_used_up_is_told_before_the_server_says_so(
    service: PipelineLogsService, log: Logging, clock: Clock
):
    for number in range(1, LISTS_A_MINUTE_HERE):
        messages(service, job(task("Trainer", State.RUNNING, number)), "Train")
    with pytest.raises(EnvironmentNotReady, match="60 times a minute, which is used up") as caught:
        messages(service, job(task("Trainer", State.RUNNING, 99)), "Train")
    assert len(log.filters) < LISTS_A_MINUTE
    assert caught.value.hint == "Look again in 60 s."
    clock.seconds += 60
    assert messages(service, job(task("Trainer", State.RUNNING, 500)), "Train") == []


def test_repetitions_count_too(service: PipelineLogsService, log: Logging, cloud: Cloud):
    cloud.logging.faults.calls.clear()
    cloud.logging.faults.plan("ListLogEntries", "refuse", status="RESOURCE_EXHAUSTED", times=3)
    write(log, 7, "line", 1)
    assert messages(service, job(task("Trainer", State.RUNNING, 7)), "Train") == ["line"]
    assert cloud.logging.faults.calls["ListLogEntries"] == 4
    cloud.logging.faults.plan("ListLogEntries", "refuse", status="UNAVAILABLE")
    impatient = "60 times a minute, which is used up|out of order"
    for number in range(100, 130):
        with pytest.raises(EnvironmentNotReady, match=impatient):
            messages(service, job(task("Trainer", State.RUNNING, number)), "Train")
        if cloud.logging.faults.calls["ListLogEntries"] >= LISTS_A_MINUTE_HERE:
            break
    with pytest.raises(EnvironmentNotReady, match="60 times a minute"):
        messages(service, job(task("Trainer", State.RUNNING, 999)), "Train")
    assert cloud.logging.faults.calls["ListLogEntries"] <= LISTS_A_MINUTE_HERE


def test_our_own_sentence_is_the_cause_with_what_to_do(service: PipelineLogsService, log: Logging):
    failure = RunFailure("The test split has no rows.", hint="Use a larger sample.")
    write(log, 7, "Traceback (most recent call last):", 1, "ERROR")
    write(log, 7, f"pipelines.errors.RunFailure: {failure}", 2, "ERROR")
    write(log, 7, "the container ends", 3)
    failed = job(task("Trainer", State.FAILED, 7))
    assert service.cause(failed, "Train") == "The test split has no rows. Use a larger sample."
