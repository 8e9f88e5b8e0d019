"""Records what real runs write, for the pictures: `python -m tests.tui.record`, about six minutes.

Runs the demo's experiments in a workspace of its own, and copies its database and component logs
while one of them trains and the next one waits, and what a few of them left besides. Left out is
what no picture shows: the other runs' specs and files, and the worker's lease, which names this
machine. Paths of this machine are replaced.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from engine.api import Engine
from engine.demo import prepare_workspace, request
from engine.planning import QuickTestRequest
from engine.snapshots import ExperimentDetail
from engine.spec.run_folder import HISTOGRAMS, SCHEMA_FILE, STATISTICS_FILES, TEST_ROWS
from engine.workspace import Workspace

RECORDED = Path(__file__).with_name("recorded")
DATABASE, RUNS, MOMENT = "workspace.sql", "runs", "moment.txt"

COMPARED = (1, 2)
"""Experiments whose specs are kept, to be compared: they have the same test rows."""
_KEPT_FILES = {
    1: (TEST_ROWS,),
    2: (TEST_ROWS, HISTOGRAMS, SCHEMA_FILE, *STATISTICS_FILES.values()),
}
"""By experiment, what the pictures of comparison, statistics and histograms are made of."""
_LONGEST_SECONDS = 300
_LEAVE_SOON = """
[worker]
idle_seconds = 1

[local]
warm_idle_minutes = 0.5
"""


def main() -> None:
    """Make the folder `recorded` anew."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "grocery"
        prepare_workspace(root, lambda _: None)
        with (root / "config.toml").open("a") as settings:
            settings.write(_LEAVE_SOON)
        with Engine(Workspace(root)) as engine:
            try:
                Recording(engine).runs()
                _keep(engine, datetime.now(UTC))
            finally:
                for card in engine.cards(limit=100).items:
                    if not card.ended:
                        engine.cancel(card.number)
                while engine.worker_status().active:
                    time.sleep(0.5)


class Recording:
    """The runs: completed in several ways, failed in two components, cancelled, live, waiting."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def runs(self) -> None:
        """Make them; return while one trains and the next one waits."""
        demo = self._engine.create(request("basic")).number
        self._ends(demo)
        self._again(demo, name="Eight epochs", epochs="8", description="Does it go on learning?")
        self._again(demo, name="", learning_rate="0.0001", epochs="1", tags="slow,small steps")
        self._ends(self._starts("deep", name="Deep towers, a twentieth of the households"))
        self._without_data()
        self._killed(demo)
        self._cancelled(demo)
        self._ends(
            self._starts(
                "asymmetric",
                name="The last four weeks as test, asymmetric towers, as a shop would use it: "
                "train on what was, answer for what comes",
                split="time-holdout",
                holdout_days=28,
                epochs=2,
                tags=("time", "asymmetric"),
            )
        )
        self._ends(self._starts("minimal", name="Minimal towers"))
        live = self._starts("regularized", name="Regularized towers, ten epochs", epochs=10)
        self._starts("standard", name="Standard towers, all again", epochs=5)
        self._until(live, lambda seen: self._trained(seen) >= 6)

    def _starts(self, preset: str, **wanted: Any) -> int:  # noqa: ANN401 - a request's fields
        fields = {"sample_percent": 5, **wanted}
        return self._engine.create(
            QuickTestRequest(
                feature_config="basic", model_config_name=f"retrieval-{preset}", **fields
            )
        ).number

    def _again(self, parent: int, **changes: str) -> int:
        number = self._engine.rerun(parent, changes).number
        self._ends(number)
        return number

    def _without_data(self) -> None:
        """Have a run fail: its data file disappears while it waits for its turn."""
        before = self._starts("minimal", name="Minimal towers, first try", sample_percent=6)
        number = self._starts("deep", name="Deep towers, every household", sample_percent=100)
        data = self._engine.workspace.root / "data" / "transactions.parquet"
        aside = data.with_suffix(".aside")
        self._until(before, lambda seen: (seen.stage or "").startswith("Train"))
        data.rename(aside)
        self._until(number, lambda seen: seen.ended)
        aside.rename(data)

    def _killed(self, parent: int) -> None:
        """Have a run fail in the Trainer: the system ends its process, as when memory runs out."""
        seen = self._engine.rerun(
            parent, {"name": "Small batches", "batch_size": "256", "epochs": "12"}
        )
        self._until(seen.number, lambda seen: self._trained(seen) >= 4)
        folder = self._engine.workspace.run_folder(seen.uid)
        supervisor = json.loads((folder / "supervisor.json").read_text())["pid"]
        for child in psutil.Process(supervisor).children():
            child.kill()
        self._until(seen.number, lambda seen: seen.ended)

    def _cancelled(self, parent: int) -> None:
        changes = {"name": "Fifty epochs", "epochs": "50", "description": "Far too many"}
        number = self._engine.rerun(parent, changes).number
        self._until(number, lambda seen: self._trained(seen) >= 12)
        self._engine.cancel(number)
        self._until(number, lambda seen: seen.ended)

    def _trained(self, seen: ExperimentDetail) -> int:
        """Return the number of the last epoch that is in the database."""
        history = self._engine.history(seen.number)
        return history.epochs[-1] + 1 if history else 0

    def _ends(self, number: int) -> None:
        ended = self._until(number, lambda seen: seen.ended)
        assert ended.status == "completed", ended

    def _until(self, number: int, reached: Callable[[ExperimentDetail], bool]) -> ExperimentDetail:
        return _until(self._engine, number, reached)


def _until(
    engine: Engine, number: int, reached: Callable[[ExperimentDetail], bool]
) -> ExperimentDetail:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not reached(seen := engine.get(number)):
        assert not seen.ended, seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    print(f"#{number} {seen.name!r}: {seen.status} {seen.stage or ''}", flush=True)
    return seen


def _keep(engine: Engine, moment: datetime) -> None:
    workspace = engine.workspace
    shutil.rmtree(RECORDED / RUNS, ignore_errors=True)
    RECORDED.mkdir(exist_ok=True)
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(workspace.default_database)) as database:
            database.backup(copy)
        specs = f"kind = 'spec' AND experiment_number NOT IN {COMPARED}"
        copy.execute(f"DELETE FROM documents WHERE {specs}")
        copy.execute("DELETE FROM lease")
        copy.commit()
        dump = "\n".join(copy.iterdump())
    _write(RECORDED / DATABASE, dump + "\n", workspace)
    for log in sorted(workspace.runs.glob("*/logs/*.jsonl")):
        kept = RECORDED / RUNS / log.relative_to(workspace.runs)
        _write(kept, log.read_text(encoding="utf-8"), workspace)
    for number, names in _KEPT_FILES.items():
        uid = engine.get(number).uid
        for name in names:
            left = workspace.run_folder(uid) / name
            if left.exists():  # not every split has statistics
                kept = RECORDED / RUNS / uid / name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(left, kept)
    _write(RECORDED / MOMENT, f"{moment.isoformat()}\n", workspace)


def _write(path: Path, text: str, workspace: Workspace) -> None:
    """Write a file of the recording, without paths of this machine."""
    for folder, instead in (
        (workspace.root, "/home/ana/grocery"),
        (Path(sys.prefix), "/opt/towerlab/.venv"),
        (Path(__file__).parents[2], "/opt/towerlab"),
    ):
        text = text.replace(str(folder), instead)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
