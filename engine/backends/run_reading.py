"""Reading a run folder. Its content is foreign: sizes are capped, links not followed."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from engine.backends.base import RunStatus
from engine.credibility import NotCredible, believed
from engine.errors import NotFound
from engine.formats import size
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    COMPONENTS,
    EXIT,
    LOCK,
    LOGS,
    PROGRESS,
    SUPERVISOR,
    TRAINING_LOG,
    TRAINING_METRICS,
    ArtifactName,
    ComponentName,
    ComponentState,
    EpochRecord,
    ExitRecord,
    LogEntry,
    Progress,
    RunError,
    Supervisor,
    TrainerFile,
    TrainingMetrics,
)

RECORD_LIMIT = 1_000_000
METRICS_LIMIT = 16_000_000
TAIL_LIMIT = 2_000_000
"""Bytes read of each file: of a record, of the metrics, of the end of a file of lines."""

ARTIFACT_LIMITS: dict[ArtifactName, int] = {
    "test_rows.parquet": 512_000_000,
    "histograms.json": 8_000_000,
    "schema/schema.pbtxt": 2_000_000,
    "statistics/Split-train/FeatureStats.pb": 16_000_000,
    "statistics/Split-eval/FeatureStats.pb": 16_000_000,
    "statistics/Split-test/FeatureStats.pb": 16_000_000,
}
"""Bytes; many times what a run of 10 million rows and 100 columns leaves."""

Record = TypeVar("Record", bound=BaseModel)

_RECORDS: dict[TrainerFile, tuple[type[BaseModel], int]] = {
    PROGRESS: (Progress, RECORD_LIMIT),
    TRAINING_METRICS: (TrainingMetrics, METRICS_LIMIT),
}

_COMPONENT_STATES = TypeAdapter(tuple[ComponentState, ...])


def read_status(folder: Path) -> RunStatus:
    """Look at a run. The lock is tried before the verdict is read: this way no end is missed."""
    if not folder.is_dir():
        return RunStatus(phase="absent")
    if not (folder / SUPERVISOR).exists():
        return RunStatus(phase="starting")
    lives = is_locked(folder)
    verdict = _read_verdict(folder)
    components = _read_components(folder)
    if verdict is not None:
        return RunStatus(
            phase=verdict.outcome,
            components=tuple(_ended(state, verdict) for state in components),
            error=verdict.error,
            started_at=verdict.started_at,
            ended_at=verdict.ended_at,
        )
    supervisor = read_supervisor(folder)
    return RunStatus(
        phase="running" if lives else "vanished",
        components=components if lives else tuple(_ended(state, None) for state in components),
        progress=read_progress(folder) if lives else None,
        started_at=supervisor.started_at if supervisor else None,
    )


def is_locked(folder: Path) -> bool:
    """Whether the supervisor or the run lives.

    Only ask once `supervisor.json` exists: before that, our own short hold of the lock could keep
    the supervisor from starting.
    """
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_supervisor(folder: Path) -> Supervisor | None:
    """Return who supervises the run; None when nobody claimed it."""
    return _read_record(Supervisor, folder / SUPERVISOR)


def read_metrics(folder: Path) -> TrainingMetrics | None:
    """Return the final metrics; None when they aren't there, too large, or can't be believed."""
    return _believed(TrainingMetrics, folder / TRAINING_METRICS, METRICS_LIMIT)


def read_epochs(folder: Path) -> list[EpochRecord]:
    """Return the epochs trained so far, oldest first; a line that can't be believed is left out."""
    return [found for found in _epochs(folder) if isinstance(found, EpochRecord)]


def read_logs(folder: Path, component: ComponentName, limit: int) -> list[LogEntry]:
    """Return a component's newest log entries, newest first."""
    entries = list(_log_entries(folder / LOGS / f"{component}.jsonl"))
    return entries[: -limit - 1 : -1]


def read_progress(folder: Path) -> Progress | None:
    """Return how far the Trainer is; None before it says so, or where it can't be believed."""
    return _believed(Progress, folder / PROGRESS, RECORD_LIMIT)


def flaw(folder: Path, name: TrainerFile) -> str | None:
    """Return why what a Trainer wrote isn't believed, as a sentence; None where it is, or is none.

    Args:
        folder: of the run.
        name: of a file that the Trainer writes there.
    """
    reason = _flaw_of_log(folder) if name == TRAINING_LOG else _flaw_of_record(folder, name)
    return reason and f"{name} can't be believed: {reason}."


def _flaw_of_record(folder: Path, name: TrainerFile) -> str | None:
    kind, limit = _RECORDS[name]
    path = folder / name
    with contextlib.suppress(OSError):
        if (found := path.stat(follow_symlinks=False)).st_size > limit:
            return f"its size is {size(found.st_size)}, and at most {size(limit)} are read"
    data = _read_head(path, limit)
    if data is not None:
        try:
            believed(kind, data)
        except NotCredible as error:
            return str(error)
    return None


def _flaw_of_log(folder: Path) -> str | None:
    return next((found for found in _epochs(folder) if isinstance(found, str)), None)


def _epochs(folder: Path) -> Iterator[EpochRecord | str]:
    """Yield the epochs of the log in ascending order, and in place of other lines what is wrong."""
    last = -1
    for number, line in _lines(folder / TRAINING_LOG):
        try:
            record = believed(EpochRecord, line)
        except NotCredible as error:
            yield f"line {number}: {error}" if number else str(error)
            continue
        if record.epoch <= last:
            yield f"epoch {record.epoch} comes after epoch {last}"
            continue
        last = record.epoch
        yield record


def component_of(name: str) -> ComponentName:
    """Return a component by its own name.

    Raises:
        NotFound: there is no such component.
    """
    for component in COMPONENT_NAMES:
        if component == name:
            return component
    raise NotFound(
        f"There is no component {name!r}.", hint=f"There are {', '.join(COMPONENT_NAMES)}."
    )


def read_artifact(folder: Path, name: ArtifactName) -> bytes | None:
    """Return a file's content; None when it is missing, not a plain file, or over its limit.

    Raises:
        NotFound: files of this name are not given out.
    """
    limit = ARTIFACT_LIMITS.get(name)
    if limit is None:
        raise NotFound(
            f"There is no artifact {name!r}.", hint=f"There are {', '.join(ARTIFACT_LIMITS)}."
        )
    # A link in place of `statistics/` would lead outside as well as one in place of a file.
    if any((folder / parent).is_symlink() for parent in Path(name).parents[:-1]):
        return None
    return _read_head(folder / name, limit)


def last_output(path: Path) -> str:
    """Return the last line of a text file that isn't blank; empty when there is none."""
    lines = (_read_tail(path) or b"").decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _read_verdict(folder: Path) -> ExitRecord | None:
    path = folder / EXIT
    try:
        written_at = datetime.fromtimestamp(path.stat(follow_symlinks=False).st_mtime, UTC)
    except FileNotFoundError:
        return None
    error = RunError(message=f"The verdict of the run can't be read: {path} is damaged.")
    return _read_record(ExitRecord, path) or ExitRecord(
        outcome="failed", error=error, started_at=written_at, ended_at=written_at
    )


def _read_components(folder: Path) -> tuple[ComponentState, ...]:
    data = _read_head(folder / COMPONENTS, RECORD_LIMIT)
    known: dict[ComponentName, ComponentState] = {}
    if data is not None:
        try:
            known = {state.name: state for state in _COMPONENT_STATES.validate_json(data)}
        except ValidationError:
            known = {}  # as before the run wrote it
    return tuple(known.get(name, ComponentState(name=name)) for name in COMPONENT_NAMES)


def _ended(state: ComponentState, verdict: ExitRecord | None) -> ComponentState:
    """Return what a component's state means once nothing of the run lives."""
    if state.status != "running":
        return state
    cancelled = verdict is not None and verdict.outcome == "cancelled"
    return state.replace(
        status="cancelled" if cancelled else "failed",
        ended_at=verdict.ended_at if verdict else None,
    )


def _read_record(kind: type[Record], path: Path) -> Record | None:
    data = _read_head(path, RECORD_LIMIT)
    if data is None:
        return None
    try:
        return kind.model_validate_json(data)
    except ValidationError:
        return None


def _believed(kind: type[Record], path: Path, limit: int) -> Record | None:
    data = _read_head(path, limit)
    try:
        return None if data is None else believed(kind, data)
    except NotCredible:
        return None


def _log_entries(path: Path) -> Iterator[LogEntry]:
    for _, line in _lines(path):
        with contextlib.suppress(ValidationError):
            yield LogEntry.model_validate_json(line)


def _lines(path: Path) -> Iterator[tuple[int | None, bytes]]:
    """Yield the lines of the end of a file with their numbers, None where these aren't known.

    What is half written has no line end yet; of a file whose beginning isn't read, the first line
    isn't whole.
    """
    data = _read_tail(path) or b""
    whole = len(data) < TAIL_LIMIT
    lines = data.split(b"\n")[:-1]
    if not whole and not lines:
        yield None, data
    for number, line in enumerate(lines if whole else lines[1:], 1):
        yield (number if whole else None), line


def _read_head(path: Path, limit: int) -> bytes | None:
    """Return a file's content; None when it is missing, not a plain file, or over the limit."""
    try:
        with open(path, "rb", opener=_open_plain) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            data = file.read(limit + 1)
    except OSError:
        return None
    return data if len(data) <= limit else None


def _read_tail(path: Path) -> bytes | None:
    try:
        with open(path, "rb", opener=_open_plain) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_LIMIT))
            return file.read(TAIL_LIMIT)
    except OSError:
        return None


def _open_plain(path: str, flags: int) -> int:
    """Open without following a link, and without waiting for the writer of a named pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
