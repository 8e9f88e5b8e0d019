"""The command run inside this process, on workspaces whose runs are stand-ins."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from engine.cli import towerlab
from engine.processes import send_signal
from engine.workspace import Workspace
from tests.contracts.local_workspace import kill_all, processes_of
from tests.faults.standin import MODULE
from tests.sample_data import write_ratings

REPOSITORY = Path(__file__).parents[3]
RUN = ("run", "--feature-config", "basic", "--model-config", "retrieval-standard")


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Command:
    """Runs `towerlab` on one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, env: dict[str, str | None] | None = None) -> Answer:
        # Whoever runs the tests may have a terminal's width in the environment.
        done = CliRunner().invoke(
            towerlab,
            ["--workspace", str(self.folder), *arguments],
            env={"COLUMNS": None, **(env or {})},
        )
        return Answer(done.exit_code, done.stdout, done.stderr)


def standin(folder: Path) -> Workspace:
    """Set up a workspace whose runs are stand-ins of a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    done = Command(folder)("init", str(write_ratings(folder / "ratings.csv", 300)))
    assert done.code == 0, done.err
    with (folder / "config.toml").open("a") as file:
        file.write(
            f'\n[local]\nrun_module = "{MODULE}"\nwarm_runner = false\n\n'
            "[worker]\nidle_seconds = 2\n"
        )
    set_behaviour(folder, '{"seconds": 0.3}')
    return Workspace(folder)


def set_behaviour(folder: Path, behaviour: str) -> None:
    """Have the runs of a workspace behave like this, as JSON of `standin.Behaviour`."""
    models = folder / "definitions" / "models.toml"
    heading = "[models.retrieval-standard]\n"
    before, _, after = models.read_text().partition(heading)
    after = "".join(
        line for line in after.splitlines(keepends=True) if not line.startswith("description")
    )
    models.write_text(f"{before}{heading}description = '{behaviour}'\n{after}")


def end(workspace: Workspace) -> None:
    """End the workspace's worker and runs."""
    # One that has just been started hasn't the lease yet, and would take it from one that ends.
    for worker in processes_of(workspace, "engine.worker"):
        send_signal(worker, signal.SIGTERM)
    kill_all(workspace)
