"""A workspace whose local runs are stand-ins, and the processes of its runs, for tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from engine.processes import ProcessIdentity, send_signal
from engine.workspace import Workspace
from tests.faults.standin import MODULE


def standin_workspace(root: Path, *, warm_runner: bool, module: str = MODULE) -> Workspace:
    """Make a workspace in a folder; its warm runner leaves after a minute."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.toml").write_text(
        f"[local]\nwarm_runner = {str(warm_runner).lower()}\nwarm_idle_minutes = 1\n"
        f'warm_min_free_gb = 0.1\nrun_module = "{module}"\n'
    )
    workspace = Workspace(root)
    workspace.prepare()
    return workspace


def processes_of(workspace: Workspace, module: str) -> list[ProcessIdentity]:
    """Return the processes whose command line names this module and this workspace's folder.

    A supervisor and its run have the same command line: the parent comes first.
    """
    found = [
        identity
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        if (identity := ProcessIdentity.of(pid)) is not None
        and _runs_module(pid, module, workspace.root)
    ]
    return sorted(found, key=lambda process: process.start_ticks)


def kill_all(workspace: Workspace) -> None:
    """Kill whatever of this workspace still lives."""
    for module in ("pipelines.warm", "pipelines.supervise"):
        for process in processes_of(workspace, module):
            send_signal(process, signal.SIGKILL)


def run_of(supervisor: ProcessIdentity) -> ProcessIdentity | None:
    """Return the run's process: the supervisor's only child."""
    for pid in _children(supervisor.pid):
        return ProcessIdentity.of(pid)
    return None


def _children(pid: int) -> Iterator[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    yield from (int(child) for child in text.split())


def _runs_module(pid: int, module: str, root: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return module in arguments and any(f"{part}/".startswith(f"{root}/") for part in arguments)
