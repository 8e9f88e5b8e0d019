"""`make demo-cloud`: the path through Google Cloud, without an account.

The servers of `tests/cloud/servers` play Google Cloud's interfaces; behind them builds compile and
jobs run every task for real (see `demo_runs`), so that no figure on screen is made up.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from engine.demo import DATASET, prepare_workspace, request
from engine.planning import QuickTestRequest
from tests.cloud.demo_runs import REPOSITORY

NAME = "Google Cloud, played by this machine"
_OWN = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "GOOGLE_APPLICATION_CREDENTIALS", "NO_GCE_CHECK")
_NOTICE = """\
No Google Cloud is used: this machine plays it.
  real       the app, the worker, Google's client libraries over TLS, the compiled pipeline job,
             each of its tasks (run by its own command on gs:// objects), every figure shown
  played     Cloud Build, Vertex AI, Cloud Logging and Cloud Storage, by servers that speak
             their protocols
  different  BigQuery is DuckDB over local files; Beam runs in memory instead of on Dataflow;
             one job runs at a time; nothing is cached; no cost, quota or permission is real
Everything is thrown away at the end. A job takes some minutes.
"""


def main() -> int:
    """Set all up, show it in the app (or as lines, without a terminal), and clear it away."""
    parser = argparse.ArgumentParser(prog="make demo-cloud")
    parser.add_argument("--sample-percent", type=float, default=5, help="of the households")
    given = parser.parse_args()
    print(_NOTICE, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="towerlab-cloud-"))
    servers = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.cloud.demo_servers", str(folder)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert servers.stdin is not None
    assert servers.stdout is not None
    code = 1
    try:
        told = servers.stdout.readline()
        if told:
            code = _show(folder / "workspace", json.loads(told), given.sample_percent)
    finally:
        servers.stdin.close()
        servers.wait()
    print("The servers, their jobs and the workspace are gone.", flush=True)
    return code


def _show(root: Path, told: dict[str, Any], sample_percent: float) -> int:
    os.environ.update({name: told["environment"][name] for name in _OWN})
    made = prepare_workspace(root, lambda table: None)
    write_settings(root, told["settings"])
    wanted = request(made.feature_configs[0].name, made.model_configs[0])
    number = _submitted(
        root,
        wanted.replace(
            sample_percent=sample_percent,
            backend="vertex",
            name="Groceries",
            description="On a Google Cloud that this machine plays",
        ),
    )
    from tui.command import open_app

    code = open_app(root, number=number)
    if code is not None:
        return code
    shown = [*_COMMAND, "--workspace", str(root), "show", str(number), "--wait"]
    return subprocess.run(shown, check=False).returncode


_COMMAND = (sys.executable, "-c", "import engine.cli; engine.cli.main()")


def write_settings(root: Path, cloud: str) -> None:
    """Add the settings of a workspace whose experiments run on the servers.

    Args:
        root: of the workspace.
        cloud: `[cloud]` as TOML.
    """
    own = f'[workspace]\nname = "{NAME}"\n\n[worker]\npoll_seconds = 1\n\n'
    (root / "config.toml").write_text(own + cloud)
    with (root / "definitions" / "datasets.toml").open("a") as file:
        file.write(f'\n[datasets.{DATASET}.bigquery]\nproject = "shop-test"\ndataset = "sales"\n')


def _submitted(root: Path, wanted: QuickTestRequest) -> int:
    from engine.api import Engine
    from engine.workspace import Workspace

    with Engine(Workspace(root)) as engine:
        return engine.create(wanted).number


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # threads that still read for the app are not waited for
