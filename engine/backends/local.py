"""`LocalBackend`: runs on this machine, each in processes of its own that survive us.

A run's folder is both its claim and the only channel back. The layout and who may write what is
told in `engine/spec/run_folder.py`; `pipelines/supervise.py` is what is started.
"""

import contextlib
import errno
import os
from collections.abc import Collection, Iterable
from importlib.util import find_spec

from engine.backends.base import RunStatus
from engine.backends.launching import Launcher, create_folder, remove_folder
from engine.backends.run_reading import (
    component_of,
    flaw,
    is_locked,
    read_artifact,
    read_epochs,
    read_logs,
    read_metrics,
    read_status,
    read_supervisor,
)
from engine.config import LocalSettings
from engine.errors import EnvironmentNotReady, NotAllowed
from engine.processes import send_signal
from engine.spec import ExperimentSpec
from engine.spec.local_packages import INSTALL_HINT, LOCAL_PACKAGES
from engine.spec.run_folder import (
    CANCEL,
    CANCEL_SIGNAL,
    EXIT,
    SPEC,
    ArtifactName,
    EpochRecord,
    LogEntry,
    TrainerFile,
    TrainingMetrics,
)
from engine.workspace import Workspace

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalBackend:
    """Runs experiments on this machine."""

    name = "local"
    poll_seconds = 0.5
    capacity = 1
    remote = False

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs = workspace.runs
        self._launcher = Launcher(workspace)

    def check_ready(self) -> None:
        """Return when experiments can be run here.

        Raises:
            EnvironmentNotReady: the libraries of the run module aren't installed.
        """
        module = self._workspace.settings.local.run_module
        missing = [package for name, package in _needed_by(module) if find_spec(name) is None]
        if missing:
            raise EnvironmentNotReady(
                f"Local runs need packages that are not installed: {', '.join(missing)}.",
                hint=INSTALL_HINT,
            )

    def begin_round(self, uids: Collection[str], watched: Collection[str]) -> None:
        """Nothing can be asked for at once here."""

    def submit(self, spec: ExperimentSpec) -> None:
        """Write the run folder, unless it exists, and start the run, unless it was claimed.

        Returns at once; call it again while the run is `starting`, and a start that led to nothing
        is made in another way.

        Raises:
            EnvironmentNotReady: nothing was started, and nothing is left of the run.
        """
        files = {SPEC: spec.model_dump_json(indent=2).encode()}
        try:
            create_folder(self._runs, spec.uid, files)
        except OSError as error:
            reason = "the disk is full" if error.errno in _DISK_FULL else error.strerror
            raise EnvironmentNotReady(
                f"The run folder {self._runs / spec.uid} could not be written: {reason}.",
                hint="Free space, for example with `towerlab gc`.",
            ) from error
        self._launcher.ensure_started(spec.uid)

    def status(self, uid: str) -> RunStatus:
        """Look at a run."""
        return read_status(self._runs / uid)

    def cancel(self, uid: str) -> None:
        """Ask the run to end; it ends `cancelled` unless it finishes first."""
        folder = self._runs / uid
        if not folder.is_dir() or (folder / EXIT).exists():
            return
        requested = _touch(folder / CANCEL)
        supervisor = read_supervisor(folder)
        if supervisor is not None:
            send_signal(supervisor, CANCEL_SIGNAL)
        elif requested:
            self._launcher.start_supervisor(uid)  # finds the request and gives the verdict
        else:
            raise EnvironmentNotReady(
                f"{folder} can't be written: the run can't be cancelled yet.",
                hint="Free space on the disk.",
            )

    def delete(
        self, uid: str, *, shared: Collection[str] = (), unused: Collection[str] = ()
    ) -> None:
        """Remove the run folder; absence is success. What is shared is in the cache.

        Raises:
            NotAllowed: something of the run still lives.
        """
        folder = self._runs / uid
        if read_supervisor(folder) and not (folder / EXIT).exists() and is_locked(folder):
            raise NotAllowed(f"The run {uid} is still going.", hint="Cancel it first.")
        remove_folder(folder)

    def metrics(self, uid: str) -> TrainingMetrics | None:
        """Return the final metrics, or None where there are none (yet) or they aren't readable."""
        return read_metrics(self._runs / uid)

    def flaw(self, uid: str, name: TrainerFile) -> str | None:
        """Return why a file that the Trainer wrote isn't believed; None where it is, or is none."""
        return flaw(self._runs / uid, name)

    def epochs(self, uid: str) -> list[EpochRecord]:
        """Return the epochs trained so far, oldest first; a half-written last line is left out."""
        return read_epochs(self._runs / uid)

    def logs(self, uid: str, component: str, *, limit: int = 50) -> list[LogEntry]:
        """Return the newest entries of a component's log, newest first.

        Raises:
            NotFound: there is no such component.
        """
        return read_logs(self._runs / uid, component_of(component), limit)

    def artifact(self, uid: str, name: ArtifactName) -> bytes | None:
        """Return a file's content; None where it isn't there, no plain file, or too large.

        Raises:
            NotFound: files of this name are not given out.
        """
        return read_artifact(self._runs / uid, name)

    def artifacts_uri(self, uid: str) -> str:
        """Return the run folder's path."""
        return str(self._runs / uid)


def _needed_by(module: str) -> Iterable[tuple[str, str]]:
    is_pipeline = module == LocalSettings.model_fields["run_module"].default
    return LOCAL_PACKAGES.items() if is_pipeline else ()


def _touch(path: os.PathLike[str]) -> bool:
    """Create a file unless it exists; False when the disk doesn't let us."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666))
        return True
    return False
