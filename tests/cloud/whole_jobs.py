"""Workspaces whose experiments really run in the cloud of the servers, by the command line."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.workspace import Workspace
from tests.cloud.demo_runs import Builds, Runs
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import write_settings
from tests.engine.cli.command import REPOSITORY, Command, end
from tests.sample_data import write_groceries

_SOURCE = "\n[datasets.groceries.bigquery]"
_RUN = ("run", "--feature-config", "rich", "--model-config", "both")
_MINUTES = 10


def run_jobs(cloud: Cloud, folder: Path) -> None:
    """Let builds compile and jobs run, on the groceries of `folder/data`."""
    tables = write_groceries(folder / "data").glob("*.parquet")
    cloud.bigquery.tables["sales"] = {file.stem: file for file in tables}
    (folder / "builds").mkdir()
    cloud.builds.run = Builds(cloud, folder / "builds").run
    Runs(cloud, folder / "data", folder / "builds")


class Shop:
    """A workspace of groceries, and its commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = Workspace(root).runs
        self.command = Command(root)

    def ask(self, *arguments: str) -> Any:
        """Return the answer of a command as JSON."""
        done = self.command(*arguments, "--json")
        assert done.code == 0, done.err or done.out
        return done.json

    def run(self, *options: str) -> int:
        """Submit an experiment; return its number."""
        return self.ask(*_RUN, *options)["number"]

    def follow(self, number: int) -> list[dict[str, Any]]:
        """Return what `show` told until the experiment ended, with the number of its epochs."""
        seen: list[dict[str, Any]] = []
        deadline = time.monotonic() + _MINUTES * 60
        while time.monotonic() < deadline:
            view = self.ask("show", str(number))
            history = self.ask("history", str(number))
            view["epochs_seen"] = len(history["epochs"]) if history else 0
            seen.append(view)
            if view["status"] not in ("submitting", "running"):
                return seen
            time.sleep(0.2)
        raise AssertionError(f"{number} hasn't ended: {json.dumps(seen[-1], indent=1)}")


@contextmanager
def shop(
    root: Path, cloud: Cloud, *, in_bigquery: bool = True, **settings: object
) -> Iterator[Shop]:
    """Set a workspace up; its data is the folder `data` beside it."""
    root.mkdir()
    (root / "data").symlink_to(root.parent / "data")
    (root / "definitions").mkdir()
    definitions = root / "definitions" / "groceries.toml"
    shutil.copy(Path(__file__).with_name("groceries.toml"), definitions)
    if not in_bigquery:
        text = definitions.read_text()
        before, _, after = text.partition(_SOURCE)
        definitions.write_text(before + "\n[" + after.partition("\n[")[2])
    write_settings(root, cloud, idle_seconds=5, **settings)
    workspace = Workspace(root)
    workspace.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        try:
            yield Shop(root)
        finally:
            end(workspace)
