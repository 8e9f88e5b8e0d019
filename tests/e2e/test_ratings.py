"""A file that the project has never seen, through the real pipeline, as a person would do it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.api import Engine
from engine.workspace import Workspace
from tests.contracts.local_workspace import kill_all
from tests.e2e.terminal import REPOSITORY
from tests.sample_data import write_ratings

pytestmark = pytest.mark.pipeline


def towerlab(*arguments: str, cwd: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", "import engine.cli; engine.cli.main()", *arguments, "--json"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ratings_of_any_size_become_a_result_with_its_baseline(tmp_path: Path) -> None:
    roles = ("--buyer", "user", "--product", "item", "--timestamp", "at", "--target", "rating")
    sizes = {"basic": 2_000, "few-basic": 50}
    made = {
        config: towerlab("init", str(write_ratings(tmp_path / name, rows)), *roles, cwd=tmp_path)
        for (config, rows), name in zip(sizes.items(), ("many.csv", "few.csv"), strict=True)
    }
    try:
        for config, rows in sizes.items():
            assert made[config]["feature_configs"][0] == config
            seen = towerlab(
                *("run", "--feature-config", config, "--model-config", "retrieval-standard"),
                "--wait",
                cwd=tmp_path,
            )
            assert seen["status"] == "completed"
            assert sum(seen["rows"].values()) == rows
            assert all(c["status"] == "completed" for c in seen["components"])
            assert seen["baseline"]["name"] == "popularity"
            assert 0 <= seen["metrics"]["recall_at_10"] <= seen["metrics"]["recall_at_50"] <= 1
            assert seen["interval"]["low"] <= seen["interval"]["high"]
            expected = "popularity's" if seen["rows"]["test"] >= 100 else "test row"
            assert any(expected in verdict for verdict in seen["verdicts"])
            history = towerlab("history", str(seen["number"]), cwd=tmp_path)
            assert history["epochs"] == [0, 1, 2]
    finally:
        _end(Workspace(tmp_path))


def _end(workspace: Workspace) -> None:
    with Engine(workspace, start_worker=False) as engine:
        worker = engine.worker_status()
    if worker.pid is not None:
        os.kill(worker.pid, 15)
    kill_all(workspace)
