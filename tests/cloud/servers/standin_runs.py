"""Pipeline jobs without TensorFlow that behave as a test says, as `tests/faults/standin.py` does.

A job writes to Cloud Storage, Cloud Logging and its own tasks what a real one writes; how it
behaves is told in the description of the model config.
"""

import contextlib
import itertools
import json
import threading
import time
from datetime import UTC, datetime

from google.cloud.aiplatform_v1 import PipelineJob, PipelineState, PipelineTaskDetail

from engine.spec import ExperimentSpec
from engine.spec.cloud import JOB_LABEL
from engine.spec.run_folder import (
    HISTOGRAMS,
    PROGRESS,
    TFX_NAMES,
    TRAINING_LOG,
    TRAINING_METRICS,
)
from tests.cloud.gcs_server import Bucket
from tests.cloud.servers.dataflow import Dataflow
from tests.cloud.servers.logs import Logging
from tests.cloud.servers.metadata import Metadata
from tests.cloud.servers.pipelines import PipelineService, State
from tests.faults.standin import (
    Behaviour,
    behaviour_of,
    standin_epoch,
    standin_histograms,
    standin_metrics,
)

_OUTPUTS = {
    "ExampleGen": "examples",
    "StatisticsGen": "statistics",
    "SchemaGen": "schema",
    "Transform": "transform_graph",
    "Trainer": "model",
}
_ON_DATAFLOW = ("ExampleGen", "StatisticsGen", "Transform")
_STEP_SECONDS = 0.02
_numbers = itertools.count(7_700_000)


class StandinRuns:
    """Runs every job of a service in a thread of its own."""

    def __init__(
        self,
        pipelines: PipelineService,
        metadata: Metadata,
        logging: Logging,
        dataflow: Dataflow,
        bucket: Bucket,
    ) -> None:
        self.pipelines = pipelines
        self.metadata = metadata
        self.logging = logging
        self.dataflow = dataflow
        self.bucket = bucket
        pipelines.on_create = self.start

    def start(self, job_id: str) -> None:
        """Let a job run."""
        threading.Thread(target=_StandinRun(self, job_id).run, daemon=True).start()


class _Cancelled(Exception):
    """Somebody asked for the end of the job."""


class _StandinRun:
    def __init__(self, servers: StandinRuns, job_id: str) -> None:
        self._servers = servers
        self._job_id = job_id
        self._job = servers.pipelines.jobs[job_id]
        config = trainer_config(self._job)
        self._spec = ExperimentSpec.model_validate_json(config["spec"])
        self._folder: str = config["run_folder"]
        self._behaviour: Behaviour = behaviour_of(self._spec.model.description)
        self._tasks: dict[str, PipelineTaskDetail] = {}

    def run(self) -> None:
        state = PipelineState.PIPELINE_STATE_SUCCEEDED
        try:
            self._wait(0.05)
            now = datetime.now(UTC)
            self._change(state=PipelineState.PIPELINE_STATE_RUNNING, start_time=now)
            for task in TFX_NAMES:
                if not self._run_task(task):
                    state = PipelineState.PIPELINE_STATE_FAILED
                    message = (
                        f"The DAG failed because some tasks failed. The failed tasks are: [{task}]."
                    )
                    self._change(error={"code": 9, "message": message})
                    break
        except _Cancelled:
            state = PipelineState.PIPELINE_STATE_CANCELLED
        except KeyError:
            return
        with contextlib.suppress(KeyError):  # the job was deleted
            self._change(state=state, end_time=datetime.now(UTC))

    def _run_task(self, task: str) -> bool:
        number = str(next(_numbers))
        main_job = f"{self._job.name.partition('/pipelineJobs/')[0]}/customJobs/{number}"
        detail = PipelineTaskDetail(
            task_id=len(self._tasks) + 1,
            task_name=task,
            state=State.RUNNING,
            create_time=datetime.now(UTC),
            start_time=datetime.now(UTC),
            executor_detail={"container_detail": {"main_job": main_job}},
        )
        self._set(detail)
        name = TFX_NAMES[task]
        beam = self._start_dataflow(task)
        self._log(number, f"{name} starts")
        try:
            if self._behaviour.fails_in == name:
                self._fail(detail, number, name)
                return False
            self._work(task)
        except _Cancelled:
            detail.state, detail.end_time = State.CANCELLED, datetime.now(UTC)
            self._set(detail)
            raise
        self._log(number, f"{name} ends")
        if beam is not None:
            self._servers.dataflow.end(beam)
        self._succeed(detail)
        return True

    def _succeed(self, detail: PipelineTaskDetail) -> None:
        task = detail.task_name
        number = self._job.name.split("/")[1]
        root = self._job.runtime_config.gcs_output_directory
        uri = f"{root}/{number}/{self._job_id}/{task}_{detail.task_id}/{_OUTPUTS[task]}"
        self._servers.bucket.put(f"{uri}/data", b"x")
        read = [o.artifacts[0] for t in self._tasks.values() for o in t.outputs.values()]
        artifact = self._servers.metadata.write(uri, *read)
        detail.outputs = {_OUTPUTS[task]: PipelineTaskDetail.ArtifactList(artifacts=[artifact])}
        detail.state, detail.end_time = State.SUCCEEDED, datetime.now(UTC)
        self._set(detail)

    def _fail(self, detail: PipelineTaskDetail, number: str, name: str) -> None:
        for line in (
            "Traceback (most recent call last):",
            f"ValueError: {name} was told to fail",
            "and says why in a second line",
        ):
            self._log(number, line, severity="ERROR")
        detail.state, detail.end_time = State.FAILED, datetime.now(UTC)
        detail.error = {"code": 9, "message": f"The job {number} failed: exit code 1."}
        self._set(detail)

    def _work(self, task: str) -> None:
        seconds = self._behaviour.seconds / len(TFX_NAMES)
        if task != "Trainer":
            self._wait(seconds)
            return
        epochs = self._spec.params.epochs
        lines: list[str] = []
        for epoch in range(epochs):
            self._wait(seconds / epochs)
            record, progress = standin_epoch(epoch, epochs)
            lines.append(record.model_dump_json() + "\n")
            self._put(TRAINING_LOG, "".join(lines))
            self._put(PROGRESS, progress.model_dump_json())
        self._put(HISTOGRAMS, standin_histograms(epochs).model_dump_json())
        self._put(TRAINING_METRICS, standin_metrics(epochs).model_dump_json())

    def _start_dataflow(self, task: str) -> str | None:
        if task not in _ON_DATAFLOW:
            return None
        labels = {**dict(self._job.labels), JOB_LABEL: self._job_id}
        return self._servers.dataflow.start(f"beam-{task.lower()}", labels)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            if self._servers.pipelines.state(self._job_id) in (
                None,
                PipelineState.PIPELINE_STATE_CANCELLING,
            ):
                raise _Cancelled
            if time.monotonic() >= end:
                return
            time.sleep(_STEP_SECONDS)

    def _set(self, detail: PipelineTaskDetail) -> None:
        self._tasks[detail.task_name] = detail
        self._servers.pipelines.change_task(self._job_id, PipelineTaskDetail(detail))

    def _change(self, **values: object) -> None:
        self._servers.pipelines.change(self._job_id, **values)

    def _put(self, name: str, content: str) -> None:
        self._servers.bucket.put(f"{self._folder}/{name}", content.encode())

    def _log(self, number: str, message: str, *, severity: str = "INFO") -> None:
        labels = {"job_id": number, "project_id": "p", "task_name": "workerpool0-0"}
        self._servers.logging.write("ml_job", labels, message, severity=severity)


def trainer_config(job: PipelineJob) -> dict[str, str]:
    """Return what a job tells its Trainer: the spec and the run folder."""
    spec = job.pipeline_spec
    parameters = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    return json.loads(parameters["custom_config"]["runtimeValue"]["constantValue"]["stringValue"])
