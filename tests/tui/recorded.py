"""Workspaces that real runs wrote, as `record.py` has kept them."""

import shutil
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pysqlite3

from engine.api import Engine
from engine.experiments import ExperimentService
from engine.lease import Lease
from engine.store import experiments, open_database
from engine.workspace import Workspace
from tests.engine.sample_plans import SamplePlanner
from tests.engine.scripted_backend import ScriptedBackend, ended, metrics_of
from tests.tui.record import DATABASE, MOMENT, RECORDED, RUNS

_sqlite: Any = pysqlite3  # carries no types


def moment() -> datetime:
    """Return when the recording was made."""
    return datetime.fromisoformat((RECORDED / MOMENT).read_text(encoding="ascii").strip())


def restore(root: Path) -> Path:
    """Put the recorded experiments into a workspace's folder and return it.

    This process takes the worker's lease: what was recorded as running is looked after by nobody,
    and stays as it was.
    """
    workspace = Workspace(root)
    _settings(root)
    workspace.prepare()
    dump = (RECORDED / DATABASE).read_text(encoding="utf-8")
    with closing(_sqlite.connect(str(workspace.default_database))) as database:
        database.executescript(dump)
    shutil.copytree(RECORDED / RUNS, workspace.runs, dirs_exist_ok=True)
    with closing(open_database(workspace.database_url)) as database:
        assert Lease.take(database)
    return root


def empty(root: Path) -> Path:
    """Make a workspace without experiments and return its folder."""
    _settings(root)
    Engine(Workspace(root), start_worker=False).close()
    return root


def damaged(root: Path) -> Path:
    """Make a workspace whose database is no database and return its folder."""
    restore(root)
    database = Workspace(root).default_database
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    database.write_bytes(b"not a database, whatever its name says" * 200)
    return root


def complete(root: Path, number: int) -> None:
    """Let a recorded run end well, as the worker would find it."""
    workspace, backend = Workspace(root), ScriptedBackend()
    backends = {"local": backend}
    with closing(open_database(workspace.database_url)) as database:
        service = ExperimentService(database, backends, SamplePlanner(), workspace.cache)
        with database.read() as session:
            uid = experiments.track(session, number).uid
        backend.results[uid] = metrics_of(10)
        backend.put(uid, ended("completed").replace(started_at=None, ended_at=moment()))
        service.poll_experiment_status(number)


def _settings(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "config.toml").exists():
        (root / "config.toml").write_text('[workspace]\nname = "grocery"\n', encoding="ascii")
