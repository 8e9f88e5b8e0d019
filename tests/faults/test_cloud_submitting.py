"""Many submissions at once, and records that get damaged: none holds up or harms another."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.spec.cloud import job_id
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served, write_settings
from tests.faults.cloud_engine import IMPATIENT, CloudEngine
from tests.faults.standin import Behaviour
from tests.faults.waiting import wait_for

__all__ = ["cloud", "served"]

QUICK = Behaviour(seconds=0)
MANY = 12
COMPILER = """
import os, sys, time
spec = next(a for a in sys.argv if a.startswith("--spec="))
with open(os.environ["COMPILED"], "a") as log:
    log.write(f"begins {spec}\\n")
    log.flush()
    time.sleep(0.2)
    log.write(f"ends {spec}\\n")
sys.exit(3)
"""
"""In place of the compile step, which takes a gigabyte of memory."""


@pytest.fixture
def engine(tmp_path: Path, cloud: Cloud) -> Iterator[CloudEngine]:
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud), IMPATIENT)
    yield engine
    cloud.clear_faults()
    cloud.pipelines.jobs.clear()
    engine.database.close()


def test_submissions_that_hang_hold_up_no_tick(engine: CloudEngine, cloud: Cloud):
    cloud.builds.faults.plan("CreateBuild", "hang")
    numbers = [engine.create(QUICK) for _ in range(MANY)]
    began = time.monotonic()
    engine.tick()
    assert time.monotonic() - began < MANY - 2  # one that is alone is waited for a second
    cloud.clear_faults()
    for number in numbers:
        engine.tick_until(number, "completed", "failed", seconds=60)
    assert {engine.see(number).status for number in numbers} == {"completed"}


def test_settings_that_are_corrected_count_at_once(engine: CloudEngine, cloud: Cloud):
    """A worker goes on while an experiment waits, so it has to see that its way is clear."""
    write_settings(engine.workspace.root, cloud, region="europe-west99")
    number = engine.create(QUICK)
    engine.tick_until_told(number, "europe-west99")
    write_settings(engine.workspace.root, cloud)
    engine.tick_until(number, "completed")


def test_one_experiment_at_a_time_is_compiled_here(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "stand-in" / "pipelines"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "compile.py").write_text(COMPILER)
    log = tmp_path / "compiled"
    log.touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stand-in"))
    monkeypatch.setenv("COMPILED", str(log))
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud, compile="local"))
    numbers = [engine.create(QUICK) for _ in range(4)]
    engine.tick()
    cancelled = numbers[-1]
    engine.service.cancel_quick_test(cancelled)
    engine.tick_until(cancelled, "cancelled")
    wait_for(lambda: log.read_text().count("ends") >= 3)
    lines = log.read_text().splitlines()
    begun, ended = lines[::2], lines[1::2]
    assert [line.removeprefix("ends") for line in ended] == [
        line.removeprefix("begins") for line in begun[: len(ended)]
    ]
    engine.database.close()


@pytest.mark.parametrize("content", ["", "{", json.dumps({"job_id": 3})])
def test_a_record_that_is_damaged_is_made_anew_from_what_is_there(
    engine: CloudEngine, cloud: Cloud, content: str
):
    """After a power loss, say, with a file that wasn't written through."""
    before = len(cloud.builds.builds)
    queued, running = engine.create(QUICK), engine.create(Behaviour(seconds=600))
    engine.tick_until(running, "running")
    for number in (queued, running):
        (engine.workspace.run_folder(engine.see(number).uid) / "cloud.json").write_text(content)
    engine.database.close()
    successor = CloudEngine(engine.workspace)
    assert successor.tick_until(queued, "completed", "failed").status == "completed"
    assert successor.see(running).status == "running"
    successor.service.delete_quick_test(running)
    successor.settle()
    assert len(cloud.builds.builds) == before + 2
    assert job_id(successor.see(queued).uid, 1) in cloud.pipelines.jobs
    assert len(cloud.pipelines.jobs) == 1
    successor.database.close()


def test_a_claim_that_is_damaged_before_anything_was_asked_is_made_again(
    engine: CloudEngine, cloud: Cloud
):
    cloud.builds.faults.plan("CreateBuild", "refuse", status="PERMISSION_DENIED")
    number = engine.create(QUICK)
    engine.tick_until_told(number, "may not start a build")
    (engine.workspace.run_folder(engine.see(number).uid) / "cloud.json").write_text("")
    cloud.clear_faults()
    assert engine.tick_until(number, "completed", "failed").status == "completed"
