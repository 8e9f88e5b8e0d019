"""What every `Backend` must do. A subclass gives the fixtures; pytest collects what it inherits.

    class TestLocalBackend(BackendContract):
        @pytest.fixture
        def backend(self, …) -> Backend: …

        @pytest.fixture
        def starts(self, …) -> Callable[[str], int]: …

The backend must run the stand-in (`tests/faults/standin.py`) or something that behaves like it.
"""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from engine.backends.base import Backend, RunStatus
from engine.errors import NotFound
from engine.spec.run_folder import COMPONENT_NAMES, HISTOGRAMS, TEST_ROWS, Histograms
from tests.faults.standin import Behaviour, standin_spec
from tests.faults.waiting import wait_for

ENDED = ("completed", "failed", "cancelled", "vanished")


@pytest.fixture
def uid() -> str:
    """A uid that no other test uses."""
    return uuid4().hex


def wait_until(backend: Backend, uid: str, *phases: str, seconds: float = 30) -> RunStatus:
    """Poll until the run is in one of these phases."""

    def reached() -> RunStatus | None:
        status = backend.status(uid)
        return status if status.phase in phases else None

    status = wait_for(reached, seconds=seconds, what=f"{uid} {' or '.join(phases)}")
    assert status is not None
    return status


class BackendContract:
    """The behaviours; see the module's docstring."""

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        raise NotImplementedError

    @pytest.fixture
    def starts(self) -> Callable[[str], int]:
        """How often the run with a uid was started."""
        raise NotImplementedError

    def test_is_ready(self, backend: Backend):
        backend.check_ready()

    def test_tells_how_to_use_it(self, backend: Backend):
        assert backend.name
        assert backend.poll_seconds > 0
        assert backend.capacity >= 1

    def test_knows_nothing_of_a_run_never_submitted(self, backend: Backend, uid: str):
        assert backend.status(uid) == RunStatus(phase="absent")
        assert backend.metrics(uid) is None
        assert backend.epochs(uid) == []
        assert backend.logs(uid, "Train") == []
        assert backend.artifact(uid, HISTOGRAMS) is None
        backend.cancel(uid)
        backend.delete(uid)
        assert backend.status(uid).phase == "absent"

    def test_runs_what_is_submitted(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.5), epochs=4))
        status = wait_until(backend, uid, *ENDED)
        assert status.phase == "completed", status
        assert status.error is None
        assert [state.name for state in status.components] == list(COMPONENT_NAMES)
        assert {state.status for state in status.components} == {"completed"}
        assert status.components[0].outputs["examples"]
        assert status.started_at is not None
        assert status.ended_at is not None
        assert status.started_at < status.ended_at
        metrics = backend.metrics(uid)
        assert metrics is not None
        assert metrics.final_metrics["test_recall_at_100"] == 0.5
        assert [record.epoch for record in backend.epochs(uid)] == [0, 1, 2, 3]
        assert uid in backend.artifacts_uri(uid)
        histograms = backend.artifact(uid, HISTOGRAMS)
        assert histograms is not None
        assert Histograms.model_validate_json(histograms).epochs == (0, 1, 2, 3)
        assert backend.artifact(uid, TEST_ROWS) is None

    def test_shows_a_run_while_it_goes(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=2)))
        looks = [status for status in _looks(backend, uid) if status.phase == "running"]
        states = [tuple(state.status for state in status.components) for status in looks]
        assert len(set(states)) >= 3
        steps = [status.progress.step for status in looks if status.progress]
        assert steps == sorted(steps)
        assert len(set(steps)) >= 2

    def test_starts_a_run_once_however_often_it_is_submitted(
        self, backend: Backend, uid: str, starts: Callable[[str], int]
    ):
        spec = standin_spec(uid, Behaviour(seconds=0.5))
        for _ in range(3):
            backend.submit(spec)
        wait_until(backend, uid, "running", "completed")
        backend.submit(spec)
        wait_until(backend, uid, *ENDED)
        backend.submit(spec)
        assert backend.status(uid).phase == "completed"
        assert starts(uid) == 1

    def test_says_why_a_run_failed(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.3, fails_in="Transform")))
        status = wait_until(backend, uid, *ENDED)
        assert status.phase == "failed"
        assert status.error is not None
        assert status.error.component == "Transform"
        assert status.error.message == "ValueError: Transform was told to fail"
        assert [state.status for state in status.components] == [
            *("completed", "completed", "completed", "failed"),
            "pending",
        ]
        assert backend.metrics(uid) is None

    def test_cancels_a_running_run(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=60)))
        wait_until(backend, uid, "running")
        backend.cancel(uid)
        backend.cancel(uid)
        status = wait_until(backend, uid, *ENDED)
        assert status.phase == "cancelled"
        assert status.error is None
        assert "running" not in {state.status for state in status.components}

    def test_cancels_a_run_that_has_not_started(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=60)))
        backend.cancel(uid)
        assert wait_until(backend, uid, *ENDED).phase == "cancelled"

    def test_leaves_a_completed_run_completed_when_it_is_cancelled(
        self, backend: Backend, uid: str
    ):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
        wait_until(backend, uid, *ENDED)
        backend.cancel(uid)
        assert backend.status(uid).phase == "completed"

    def test_gives_the_newest_log_entries_first(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
        wait_until(backend, uid, *ENDED)
        messages = [entry.message for entry in backend.logs(uid, "Schema")]
        assert messages == ["Schema ends", "Schema starts"]
        assert [entry.message for entry in backend.logs(uid, "Schema", limit=1)] == ["Schema ends"]
        with pytest.raises(NotFound):
            backend.logs(uid, "../spec")

    def test_gives_out_no_other_file(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
        wait_until(backend, uid, *ENDED)
        for name in ("spec.json", "../../config.toml", "statistics/../spec.json", ""):
            with pytest.raises(NotFound):
                backend.artifact(uid, name)  # pyright: ignore[reportArgumentType]

    def test_deletes_a_run_and_again(self, backend: Backend, uid: str):
        backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
        wait_until(backend, uid, *ENDED)
        backend.delete(uid)
        assert backend.status(uid).phase == "absent"
        backend.delete(uid)


def _looks(backend: Backend, uid: str) -> list[RunStatus]:
    looks: list[RunStatus] = []

    def ended() -> bool:
        looks.append(backend.status(uid))
        return looks[-1].phase in ENDED

    wait_for(ended, seconds=30)
    return looks
