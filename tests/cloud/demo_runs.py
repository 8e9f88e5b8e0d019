"""Builds and pipeline jobs that do the real thing here: they compile, and every task runs.

What Cloud Build would run in our container image, and what Vertex AI would run for each task, are
processes of this machine, on the same `gs://` objects. Beam's runner is the one in memory, one job
runs at a time, and nothing is cached.
"""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from google.cloud.aiplatform_v1 import Artifact, PipelineJob, PipelineState, PipelineTaskDetail
from google.cloud.devtools.cloudbuild_v1 import Build

from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.pipelines import State
from tests.cloud.vertex_events import Event

REPOSITORY = Path(__file__).parents[2]
BIGQUERY_STAND_IN = "tests.cloud.bigquery_stand_in.Executor"
_BIGQUERY = "google_cloud_big_query"
_PENDING = (PipelineState.PIPELINE_STATE_PENDING, PipelineState.PIPELINE_STATE_RUNNING)
_LOOK_SECONDS = 0.2
_EXCEPTION = re.compile(r"Traceback|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Failure): ")
_numbers = itertools.count(7_700_000)


@contextlib.contextmanager
def started(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run Python with these arguments, and end it and its children afterwards.

    What it prints is read from `stdout`.
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", *arguments],
        env={**os.environ, **environment},
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process)
        process.wait()


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Builds:
    """Carries out builds; assign `run` to a CloudBuild's."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._environment = environment_of(cloud)
        self._folder = folder

    def run(self, build: Build, arguments: list[str]) -> None:
        """Run the only step of a build, with `/workspace` in a folder of its own."""
        folder = self._folder / build.id
        folder.mkdir()
        words = [word.replace("=/workspace/", f"={folder}/") for word in arguments[1:]]
        with started(words, self._environment) as process:
            watcher = threading.Thread(target=self._watch, args=(build, process), daemon=True)
            watcher.start()
            assert process.stdout is not None
            said = process.stdout.read().strip().splitlines()
            if code := process.wait():
                raise RuntimeError(said[-1] if said else f"the step ended with {code}")

    def _watch(self, build: Build, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if build.status == Build.Status.CANCELLED:
                end(process)
            time.sleep(_LOOK_SECONDS)


class Runs:
    """Runs every job of a service, one after the other.

    Args:
        cloud: the servers; their jobs are run from now on.
        tables: folder of Parquet files, whose names are those of BigQuery's tables.
        folder: for the jobs' files.
    """

    def __init__(self, cloud: Cloud, tables: Path, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.environment = {**environment_of(cloud), "TOWERLAB_TEST_TABLES": str(tables)}
        self.turn = threading.Lock()
        cloud.pipelines.on_create = self.start

    def start(self, job_id: str) -> None:
        """Let a job run when it is its turn."""
        threading.Thread(target=_Run(self, job_id).run, daemon=True).start()


class _Run:
    def __init__(self, runs: Runs, job_id: str) -> None:
        self._runs = runs
        self._pipelines = runs.cloud.pipelines
        self._job_id = job_id
        self._job: PipelineJob = self._pipelines.jobs[job_id]
        self._task: PipelineTaskDetail | None = None
        self._number = ""

    def run(self) -> None:
        # A job that was deleted is nobody's any more.
        with contextlib.suppress(KeyError), self._runs.turn:
            if self._is_wanted():
                now = datetime.now(UTC)
                self._change(state=PipelineState.PIPELINE_STATE_RUNNING, start_time=now)
                self._end(self._execute())
            else:
                self._end(None)

    def _execute(self) -> int:
        job, result = (self._runs.folder / f"{self._job_id}.{kind}" for kind in ("json", "out"))
        job.write_text(PipelineJob.to_json(self._job, use_integers_for_enums=False))
        arguments = ["-m", "tests.cloud.vertex_machine", str(job), str(result)]
        arguments.append(f"--job-id={self._job_id}")
        if _BIGQUERY in job.read_text():
            arguments.append(f"--swap=ExampleGen={BIGQUERY_STAND_IN}")
        with started(arguments, self._runs.environment) as process:
            threading.Thread(target=self._watch, args=(process,), daemon=True).start()
            assert process.stdout is not None
            for line in process.stdout:
                self._hear(line.rstrip())
            return process.wait()

    def _watch(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if not self._is_wanted():
                end(process)
            time.sleep(_LOOK_SECONDS)

    def _is_wanted(self) -> bool:
        return self._pipelines.state(self._job_id) in _PENDING

    def _hear(self, line: str) -> None:
        event = Event.read(line)
        if event is None:
            if line and self._task is not None:
                self._log(line)
            return
        if event.what == "starts":
            self._start_task(event.task)
            return
        assert self._task is not None
        store = f"{self._job.name.partition('/pipelineJobs/')[0]}/metadataStores/default"
        self._task.outputs = {
            key: PipelineTaskDetail.ArtifactList(
                artifacts=[Artifact(name=f"{store}/artifacts/{abs(hash(uri))}", uri=uri)]
            )
            for key, uri in event.outputs.items()
        }
        self._set(State.SUCCEEDED)
        self._task = None

    def _start_task(self, name: str) -> None:
        self._number = str(next(_numbers))
        main_job = f"{self._job.name.partition('/pipelineJobs/')[0]}/customJobs/{self._number}"
        self._task = PipelineTaskDetail(
            task_id=int(self._number),
            task_name=name,
            create_time=datetime.now(UTC),
            start_time=datetime.now(UTC),
            executor_detail={"container_detail": {"main_job": main_job}},
        )
        self._set(State.RUNNING)

    def _end(self, code: int | None) -> None:
        """Set the state that a job ends in.

        Args:
            code: that its process ended with; None when it never ran.
        """
        now = datetime.now(UTC)
        if code is None or not self._is_wanted():
            if self._task is not None:
                self._set(State.CANCELLED)
            self._change(state=PipelineState.PIPELINE_STATE_CANCELLED, end_time=now)
        elif code:
            name = self._task.task_name if self._task is not None else "the job"
            message = f"The DAG failed because some tasks failed. The failed tasks are: [{name}]."
            if self._task is not None:
                told = f"The job {self._number} failed: exit code {code}."
                self._task.error = {"code": 9, "message": told}
                self._set(State.FAILED)
            error = {"code": 9, "message": message}
            self._change(state=PipelineState.PIPELINE_STATE_FAILED, error=error, end_time=now)
        else:
            self._change(state=PipelineState.PIPELINE_STATE_SUCCEEDED, end_time=now)

    def _set(self, state: State) -> None:
        assert self._task is not None
        self._task.state = state
        if state != State.RUNNING:
            self._task.end_time = datetime.now(UTC)
        self._pipelines.change_task(self._job_id, PipelineTaskDetail(self._task))

    def _change(self, **values: object) -> None:
        self._pipelines.change(self._job_id, **values)

    def _log(self, line: str) -> None:
        labels = {"job_id": self._number, "project_id": "p", "task_name": "workerpool0-0"}
        severity = "ERROR" if _EXCEPTION.match(line) else "INFO"
        self._runs.cloud.logging.write("ml_job", labels, line, severity=severity)


def environment_of(cloud: Cloud) -> dict[str, str]:
    """Return in which environment TensorFlow, Beam and Google's clients meet the servers only."""
    here = "127.0.0.1,localhost"
    return {
        **cloud.environment,
        "NO_PROXY": here,
        "no_proxy": here,
        "PYTHONPATH": str(REPOSITORY),
        # A task's driver and executor, two machines on Vertex AI, share a process here; what one
        # writes, the other replaces.
        "GCS_STAT_CACHE_MAX_AGE": "0",
    }
