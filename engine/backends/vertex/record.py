"""What is known here of a submission: a file in the run folder, which mirrors the run.

runs/<uid>/                 as a local run folder, filled from Cloud Storage as far as needed:
    spec.json, progress.json, training_log.jsonl, training_metrics.json, logs/…, histograms.json
    cloud.json              `Submission`: the claim, written before anything is asked of Google
"""

import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from engine.backends.launching import create_folder
from engine.spec import ExperimentSpec, Frozen
from engine.spec.cloud import CloudTarget, job_id
from engine.spec.run_folder import SPEC, RunError

SUBMISSION = "cloud.json"


class Submission(Frozen):
    """One experiment on Google Cloud, as it was submitted: later settings don't move it.

    Attributes:
        compile: where it becomes a pipeline job.
        build_tag: tag of its builds, by which they are found after a crash.
        build_id: of the newest build that is known.
        job_seen: whether its pipeline job has been there.
        cancel_requested: whether somebody asked for its end.
        swept: whether its Dataflow jobs were cancelled after its pipeline job had ended.
        failure: why it couldn't become a pipeline job.
        generations: of the mirrored objects, by name.
    """

    target: CloudTarget
    job_id: str
    compile: Literal["cloud-build", "local"]
    build_tag: str
    submitted_at: datetime
    build_id: str | None = None
    job_seen: bool = False
    cancel_requested: bool = False
    swept: bool = False
    failure: RunError | None = None
    generations: dict[str, int] = {}

    @property
    def job_name(self) -> str:
        """Resource name of the pipeline job."""
        return f"{self.target.parent}/pipelineJobs/{self.job_id}"


def new_submission(
    uid: str,
    target: CloudTarget,
    mode: Literal["cloud-build", "local"],
    now: datetime,
    *,
    attempt: int = 1,
) -> Submission:
    """Return the submission of an experiment, before anything was asked of Google."""
    name = job_id(uid, attempt)
    return Submission(
        target=target, job_id=name, compile=mode, build_tag=f"towerlab-{name}", submitted_at=now
    )


class Submissions:
    """The submissions whose run folders are on this machine.

    Args:
        runs: folder of the run folders.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._lock = threading.Lock()

    def folder(self, uid: str) -> Path:
        """Return the folder that mirrors a run."""
        return self._runs / uid

    def claim(self, uid: str, submission: Submission, spec: ExperimentSpec | None) -> bool:
        """Store a new submission; False when there is one. One that is damaged is replaced.

        Raises:
            OSError: it can't be written.
        """
        files = {SUBMISSION: submission.model_dump_json().encode()}
        if spec is not None:
            files[SPEC] = spec.model_dump_json(indent=2).encode()
        if create_folder(self._runs, uid, files):
            return True
        with self._lock:
            if self.read(uid) is not None:
                return False
            self._write(uid, submission)
            return True

    def read(self, uid: str) -> Submission | None:
        """Return a submission; None when there is none, or its file is damaged."""
        try:
            return Submission.model_validate_json((self._runs / uid / SUBMISSION).read_bytes())
        except (OSError, ValidationError):
            return None

    def change(self, uid: str, **values: object) -> Submission | None:
        """Change fields of a submission; None when there is none any more.

        Raises:
            OSError: it can't be written.
        """
        with self._lock:
            before = self.read(uid)
            if before is None:
                return None
            after = before.replace(**values)
            if after != before:
                self._write(uid, after)
            return after

    def _write(self, uid: str, submission: Submission) -> None:
        path = self._runs / uid / SUBMISSION
        draft = path.with_suffix(".tmp")
        draft.write_text(submission.model_dump_json(), encoding="utf-8")
        os.replace(draft, path)
