"""Tasks that really fail on their machine: what the engine tells of them, and what to do."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import served
from tests.cloud.whole_jobs import Shop, run_jobs, shop

__all__ = ["served"]

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

_DIVERGING = """[models.diverging]
type = "ranking"
preset = "minimal"
optimizer = "sgd"
"""
_MACHINE = "tests.cloud.vertex_machine"


@pytest.fixture(scope="module")
def groceries(served: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("failing")
    run_jobs(served, folder)
    with shop(folder / "groceries", served, compile="local") as found:
        yield found


def failed(groceries: Shop, number: int) -> dict:
    """Return what the engine tells of an experiment whose Trainer has failed."""
    view = groceries.follow(number)[-1]
    assert view["status"] == "failed"
    states = {component["name"]: component["status"] for component in view["components"]}
    assert states.pop("Train") == "failed"
    assert set(states.values()) == {"completed"}
    assert view["error"]["component"] == "Train"
    assert "Traceback" not in view["error"]["message"]
    return view


def test_a_loss_that_is_no_number_ends_the_job_with_our_sentence(groceries: Shop):
    definitions = groceries.root / "definitions" / "diverging.toml"
    definitions.write_text(_DIVERGING)
    options = ("--model-config", "diverging", "--learning-rate", "1", "--epochs", "1")
    number = groceries.run("--backend", "vertex", *options)
    error = failed(groceries, number)["error"]
    assert "was not a finite number in epoch 1" in error["message"]
    assert "Try a lower learning rate than 1" in error["message"]
    log = groceries.command("logs", str(number), "Train")
    assert log.code == 0
    assert "was not a finite number in epoch 1" in log.out


def test_a_trainer_that_is_killed_fails_with_the_words_of_vertex(groceries: Shop):
    number = groceries.run("--backend", "vertex", "--epochs", "20")
    _kill_when(groceries, number, "Train, epoch")
    error = failed(groceries, number)["error"]
    assert error["message"].endswith(" failed: exit code 1.")
    assert groceries.ask("show", str(number))["metrics"]["recall_at_100"] is None


def _kill_when(groceries: Shop, number: int, stage: str) -> None:
    """Kill the machine's process for a task as the kernel does that is out of memory."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if str(groceries.ask("show", str(number))["stage"]).startswith(stage):
            (machine,) = (
                process
                for process in psutil.Process(os.getpid()).children(recursive=True)
                if _MACHINE in process.cmdline() and process.children()
            )
            for task in machine.children():
                task.send_signal(signal.SIGKILL)
            return
        time.sleep(0.1)
    raise AssertionError(f"{number} never came to {stage}")
