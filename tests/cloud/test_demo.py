"""`make demo-cloud`: a real run on a played cloud, and nothing left behind."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cloud.demo_runs import REPOSITORY
from tests.cloud.vertex_events import Event

pytestmark = pytest.mark.processes


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that work below a folder; one that is only listed doesn't count."""
    found = []
    for process in psutil.process_iter():
        try:
            words, status = process.cmdline(), process.status()
        except psutil.Error:
            continue
        if status != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
            found.append(process)
    return found


def test_servers_whose_parent_is_killed_take_everything_with_them(tmp_path: Path):
    folder = tmp_path / "demo"
    folder.mkdir()
    starting = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'tests.cloud.demo_servers', sys.argv[1]]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starting, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    told = json.loads(parent.stdout.readline())
    assert "[cloud]" in told["settings"]
    assert (folder / "servers" / "account.json").exists()
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", str(folder / "workspace")],
        start_new_session=True,
    )
    parent.kill()
    parent.wait()
    assert stray.wait(30) != 0
    deadline = time.monotonic() + 30
    while folder.exists() or processes_of(folder):
        assert time.monotonic() < deadline, processes_of(folder)
        time.sleep(0.05)


def test_events_are_told_from_what_tasks_log():
    ended = Event("Trainer", "ends", {"model": "gs://b/model"})
    assert Event.read(ended.line()) == ended
    assert Event.read("I1126 16:23:32.172 5 trainer.py:1] @task") is None


@pytest.mark.pipeline
@pytest.mark.slow
def test_the_demo_runs_for_real_and_cleans_up():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.cloud.demo", "--sample-percent=1"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this machine plays it" in done.stdout
    assert "✔ Train" in done.stdout
    assert "epoch 3 of 3" in done.stdout
    assert "95% interval" in done.stdout
    assert "are gone" in done.stdout
