"""`towerlab gc`: removing run folders, cached outputs and copies of tables that nothing refers to.

Never during a run: one may be about to reuse an output that no finished experiment refers to yet.
The cache's lock keeps a run from starting meanwhile.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.backends.run_reading import is_locked
from engine.errors import EnvironmentNotReady, NotAllowed
from engine.snapshots import GarbageReport
from engine.spec.cache_folder import CACHE_LOCK, MANIFESTS
from engine.states import Status
from engine.store import Database, experiments
from engine.workspace import Workspace

_RUNNING: frozenset[Status] = frozenset({"running", "lost"})

RUN_AGE_SECONDS = 600
"""A run folder that is younger is left alone: its experiment may be about to be looked at."""


def collect(database: Database, workspace: Workspace, unused: Sequence[Path] = ()) -> GarbageReport:
    """Remove what no experiment refers to.

    Args:
        database: where experiments are.
        workspace: whose files are looked at.
        unused: copies of tables that no dataset names; they go unless an experiment waits.

    Raises:
        NotAllowed: an experiment is running, or something else uses the cache.
        EnvironmentNotReady: the database or a folder cannot be changed.
    """
    with _quiet_cache(workspace.cache):
        with database.read() as session:
            active = experiments.tracked(session)
            referenced = experiments.referenced_cache(session)
            uids = experiments.uids(session)
        running = [e.number for e in active if e.status in _RUNNING]
        if running:
            raise _in_use(f"experiment #{running[0]} is running")
        garbage = [
            *_unreferenced_outputs(workspace.cache, referenced),
            *_orphaned_runs(workspace.runs, uids),
            *(unused if not active else ()),
        ]
        try:
            freed = sum(_remove(folder) for folder in garbage)
            _drop_manifests(workspace.cache)
        except OSError as error:
            raise EnvironmentNotReady(
                f"{error.filename} could not be removed: {error.strerror}."
            ) from error
    removed = tuple(str(folder.relative_to(workspace.state)) for folder in garbage)
    return GarbageReport(removed=removed, freed_bytes=freed)


def _in_use(reason: str) -> NotAllowed:
    return NotAllowed(f"Nothing was removed: {reason}.", hint="Try again when nothing runs.")


@contextmanager
def _quiet_cache(cache: Path) -> Generator[None]:
    """Hold the lock that every run holds while it uses the cache."""
    handle = os.open(
        cache / CACHE_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise _in_use("a run uses the cache") from error
    finally:
        os.close(handle)


def _unreferenced_outputs(cache: Path, referenced: set[str]) -> list[Path]:
    outputs = (folder for folder in cache.glob("*/*/*") if folder.is_dir())
    return sorted(f for f in outputs if f.relative_to(cache).as_posix() not in referenced)


def _orphaned_runs(runs: Path, uids: set[str]) -> list[Path]:
    newest = time.time() - RUN_AGE_SECONDS
    orphans = (folder for folder in runs.iterdir() if folder.name not in uids)
    return sorted(f for f in orphans if f.lstat().st_mtime < newest and not is_locked(f))


def _drop_manifests(cache: Path) -> None:
    """Forget executions of which no output is left."""
    left = {folder.name for folder in cache.glob("*/*/*")}
    for manifest in cache.glob(f"{MANIFESTS}/*.json"):
        if manifest.stem not in left:
            manifest.unlink(missing_ok=True)


def _remove(folder: Path) -> int:
    """Remove a folder and return how many bytes its files had; links are not followed."""
    if folder.is_symlink() or not folder.is_dir():
        size = folder.lstat().st_size
        folder.unlink()
        return size
    size = sum(_sizes(folder))
    shutil.rmtree(folder)
    return size


def _sizes(folder: Path) -> Iterable[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield (Path(parent) / name).lstat().st_size
