"""The files of a run in Cloud Storage, copied to its run folder here as far as they are needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.backends.run_reading import ARTIFACT_LIMITS, METRICS_LIMIT, RECORD_LIMIT, TAIL_LIMIT
from engine.backends.vertex.record import Submission, Submissions
from engine.backends.vertex.storage import Storage, replace_file
from engine.spec.run_folder import (
    LOGS,
    PROGRESS,
    TRAINING_LOG,
    TRAINING_METRICS,
    ArtifactName,
    ComponentName,
    LogEntry,
)

LIVE = (PROGRESS, TRAINING_LOG)
"""What a Trainer writes while it runs."""
FINAL = (TRAINING_LOG, TRAINING_METRICS)
_LIMITS: Mapping[str, int] = {
    PROGRESS: RECORD_LIMIT,
    TRAINING_LOG: TAIL_LIMIT,
    TRAINING_METRICS: METRICS_LIMIT,
}


def fetch(storage: Storage, submissions: Submissions, uid: str, names: Sequence[str]) -> None:
    """Bring files of a run up to date; what isn't there is left out.

    Args:
        storage: of the run's target.
        submissions: which know what was copied before.
        uid: of the run.
        names: of files in the run folder.

    Raises:
        EnvironmentNotReady: Cloud Storage doesn't answer.
    """
    submission = submissions.read(uid)
    if submission is None:
        return
    folder, copied = submissions.folder(uid), dict(submission.generations)
    for name in names:
        uri = f"{submission.target.run_uri(uid)}/{name}"
        known = copied.get(name) if (folder / name).exists() else None
        now = storage.download(uri, folder / name, limit=_LIMITS[name], known=known)
        if now is not None:
            copied[name] = now
    if copied != submission.generations:
        submissions.change(uid, generations=copied)


def fetch_artifact(storage: Storage, folder: Path, name: ArtifactName, uri: str) -> None:
    """Copy a large file of a run, unless it is there; what is missing is left out.

    Raises:
        EnvironmentNotReady: Cloud Storage doesn't answer.
    """
    if not (folder / name).exists():
        storage.download(uri, folder / name, limit=ARTIFACT_LIMITS[name])


def artifact_uri(
    submission: Submission, uid: str, name: ArtifactName, outputs: Mapping[str, str]
) -> str | None:
    """Return where a file is; None while the component that writes it hasn't ended.

    Args:
        submission: of the run.
        uid: of the run.
        name: of the file.
        outputs: URIs of the pipeline's outputs, by the first part of the files' names.
    """
    first, slash, rest = name.partition("/")
    if not slash:
        return f"{submission.target.run_uri(uid)}/{name}"
    base = outputs.get(first)
    return f"{base}/{rest}" if base else None


def write_logs(folder: Path, component: ComponentName, entries: Sequence[LogEntry]) -> None:
    """Replace a component's log in the run folder.

    Args:
        folder: of the run.
        component: whose log.
        entries: newest first.
    """
    lines = "".join(entry.model_dump_json() + "\n" for entry in reversed(entries))
    replace_file(folder / LOGS / f"{component}.jsonl", lines.encode())
