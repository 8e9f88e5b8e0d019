"""Pipeline jobs of Vertex AI: listed at once, asked for one by one, and what their states mean."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, cast

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import (
    ListPipelineJobsRequest,
    PipelineJob,
    PipelineState,
    PipelineTaskDetail,
)
from google.protobuf.field_mask_pb2 import FieldMask

from engine.backends.base import Phase, RunStatus
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.problems import told
from engine.spec.cloud import EXPERIMENT_LABEL, OWNER_LABEL, WORKSPACE_LABEL
from engine.spec.run_folder import COMPONENT_NAMES, TFX_NAMES, ComponentName, ComponentState

_SERVICE = "Vertex AI"
_LISTED = ("name", "state", "create_time", "update_time", "labels", "display_name")
_PAGE = 500

State = PipelineTaskDetail.State
_PHASES: Mapping[PipelineState, Phase] = {
    PipelineState.PIPELINE_STATE_UNSPECIFIED: "starting",
    PipelineState.PIPELINE_STATE_QUEUED: "starting",
    PipelineState.PIPELINE_STATE_PENDING: "starting",
    PipelineState.PIPELINE_STATE_RUNNING: "running",
    PipelineState.PIPELINE_STATE_PAUSED: "running",
    PipelineState.PIPELINE_STATE_CANCELLING: "running",
    PipelineState.PIPELINE_STATE_SUCCEEDED: "completed",
    PipelineState.PIPELINE_STATE_FAILED: "failed",
    PipelineState.PIPELINE_STATE_CANCELLED: "cancelled",
}
_TASK_STATUS: Mapping[State, str] = {
    State.STATE_UNSPECIFIED: "pending",
    State.PENDING: "pending",
    State.NOT_TRIGGERED: "pending",
    State.RUNNING: "running",
    State.CANCEL_PENDING: "running",
    State.CANCELLING: "running",
    State.SUCCEEDED: "completed",
    State.SKIPPED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


Stamp = tuple[int, str]
"""State and time of the last change; a state may be a number that has no name here yet."""


class ListedJob(NamedTuple):
    """What a list tells of a job; `stamp` differs whenever the job has changed."""

    name: str
    uid: str
    owner: str
    phase: Phase
    stamp: Stamp

    @property
    def job_id(self) -> str:
        """Its id, which is ours."""
        return self.name.rpartition("/")[2]

    @property
    def goes_on(self) -> bool:
        """Whether it hasn't ended, and nobody has asked for its end."""
        cancelling = PipelineState.PIPELINE_STATE_CANCELLING
        return self.phase in ("starting", "running") and self.stamp[0] != cancelling


class Jobs:
    """The pipeline jobs of a target."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._project = clients.target.project

    def list(self, since: datetime) -> dict[str, ListedJob]:
        """Return the workspace's jobs that were created since then, by their id; one call.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer.
        """
        target = self._clients.target
        label = f'labels.{WORKSPACE_LABEL}="{target.labels[WORKSPACE_LABEL]}"'
        request = ListPipelineJobsRequest(
            parent=target.parent,
            filter=f'{label} AND create_time>="{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"',
            page_size=_PAGE,
            read_mask=FieldMask(paths=_LISTED),
        )
        with told(_SERVICE, "list the jobs", self._project):
            pager = self._clients.pipelines.list_pipeline_jobs(
                request, **self._clients.patience.options
            )
            listed = [_listed(job) for job in pager]
        return {job.job_id: job for job in listed}

    def get(self, name: str) -> PipelineJob | None:
        """Return a job with its tasks, without its spec; None when there is none of this name.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer.
        """
        with told(_SERVICE, "look at a job", self._project):
            try:
                job = self._clients.pipelines.get_pipeline_job(
                    name=name, **self._clients.patience.options
                )
            except exceptions.NotFound as error:
                if "pipelinejob" not in str(error).lower():
                    raise
                return None
        PipelineJob.pb(job).ClearField("pipeline_spec")  # large, and of no use here
        return job

    def cancel(self, name: str) -> None:
        """Ask a job to end; one that has ended, or is gone, is left alone.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer.
        """
        with told(_SERVICE, "cancel a job", self._project):
            try:
                self._clients.pipelines.cancel_pipeline_job(
                    name=name, **self._clients.patience.options
                )
            except (exceptions.FailedPrecondition, exceptions.NotFound):
                return

    def delete(self, name: str) -> None:
        """Delete a job that has ended; absence is success.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer, or the job is still going.
        """
        with told(_SERVICE, "delete a job", self._project):
            try:
                self._clients.pipelines.delete_pipeline_job(
                    name=name, **self._clients.patience.options
                )
            except exceptions.NotFound:
                return


NOT_BEGUN = (State.STATE_UNSPECIFIED, State.PENDING, State.NOT_TRIGGERED)
"""States of a task that can't have logged anything."""


def status_of(job: PipelineJob) -> RunStatus:
    """Return what a job, asked for by itself, says about its run."""
    phase = _PHASES.get(job.state, "running")
    components = _components(job)
    began = any(state.status != "pending" for state in components)
    return RunStatus(
        phase=phase,
        components=components if began or phase != "starting" else (),
        step="Waiting for Vertex AI" if phase == "starting" else None,
        started_at=time_of(job, "start_time") or time_of(job, "create_time"),
        ended_at=time_of(job, "end_time"),
        job_name=job.name,
    )


def can_be_cancelled(job: PipelineJob) -> bool:
    """Whether a job hasn't ended and wasn't asked to."""
    going = _PHASES.get(job.state, "running") in ("starting", "running")
    return going and job.state != PipelineState.PIPELINE_STATE_CANCELLING


def tasks_of(job: PipelineJob) -> dict[ComponentName, PipelineTaskDetail]:
    """Return the tasks of the five components; what else the service runs is left out."""
    return {
        TFX_NAMES[task.task_name]: task
        for task in job.job_detail.task_details
        if task.task_name in TFX_NAMES
    }


def error_message(job: PipelineJob, component: ComponentName | None) -> str:
    """Return what the service says of a failure: of the task, else of the job."""
    task = tasks_of(job).get(component) if component else None
    told = (task.error.message if task else "") or job.error.message
    return told.strip() or "Vertex AI gives no reason."


def failed_component(job: PipelineJob) -> ComponentName | None:
    """Return the first component that failed."""
    tasks = tasks_of(job)
    for name in COMPONENT_NAMES:
        if name in tasks and tasks[name].state == State.FAILED:
            return name
    return None


def job_numbers(job: PipelineJob, component: ComponentName) -> list[str]:
    """Return the ids of the custom jobs that ran a component, the last attempt first."""
    task = tasks_of(job).get(component)
    if task is None:
        return []
    detail = task.executor_detail
    custom, container = detail.custom_job_detail, detail.container_detail
    names = [
        *(custom.job, container.main_job, container.pre_caching_check_job),
        *reversed([*custom.failed_jobs, *container.failed_main_jobs]),
    ]
    return list(dict.fromkeys(name.rpartition("/")[2] for name in names if name))


def output_uri(job: PipelineJob, component: ComponentName, key: str) -> str | None:
    """Return where an output of a component is; None while it has none."""
    return next(iter(_outputs(tasks_of(job).get(component)).get(key, ())), None)


class Output(NamedTuple):
    """An artifact that a task wrote, or was given from the cache.

    Attributes:
        name: resource name in Vertex ML Metadata.
        folder: gs:// prefix that it is right below, ending in `/`.
    """

    name: str
    folder: str


def output_of(name: str, uri: str) -> Output:
    """Return the output with a name, at a gs:// URI."""
    return Output(name, f"{uri.rpartition('/')[0]}/")


def all_outputs(job: PipelineJob) -> list[Output]:
    """Return the outputs of all tasks of a job."""
    lists = [found for task in job.job_detail.task_details for found in _lists(task).values()]
    return [output_of(a.name, a.uri) for found in lists for a in found if a.name and a.uri]


def utc(time: object) -> datetime:
    """Return a time of Google's libraries as one of the standard library's, to the microsecond."""
    return datetime.fromtimestamp(cast(datetime, time).timestamp(), UTC)


def _listed(job: PipelineJob) -> ListedJob:
    labels = dict(job.labels)
    return ListedJob(
        name=job.name,
        uid=str(labels.get(EXPERIMENT_LABEL, "")),
        owner=str(labels.get(OWNER_LABEL, "")),
        phase=_PHASES.get(job.state, "running"),
        stamp=(int(job.state), str(job.update_time)),
    )


def _components(job: PipelineJob) -> tuple[ComponentState, ...]:
    tasks = tasks_of(job)
    return tuple(_component(name, tasks.get(name)) for name in COMPONENT_NAMES)


def _component(name: ComponentName, task: PipelineTaskDetail | None) -> ComponentState:
    if task is None:
        return ComponentState(name=name)
    return ComponentState.model_validate(
        {
            "name": name,
            "status": _TASK_STATUS.get(task.state, "running"),
            "cached": task.state == State.SKIPPED,
            "started_at": time_of(task, "start_time"),
            "ended_at": time_of(task, "end_time"),
            "outputs": _outputs(task),
        }
    )


def _outputs(task: PipelineTaskDetail | None) -> dict[str, tuple[str, ...]]:
    if task is None:
        return {}
    return {key: tuple(artifact.uri for artifact in found) for key, found in _lists(task).items()}


def _lists(task: PipelineTaskDetail) -> "dict[str, Sequence[_Artifact]]":
    listed: Mapping[str, Any] = dict(task.outputs)
    return {key: found.artifacts for key, found in listed.items()}


class _Artifact(Protocol):
    name: str
    uri: str


def time_of(message: object, field: str) -> datetime | None:
    """Return a field of a message that is a time; None where it isn't set."""
    value: object = getattr(message, field)
    return utc(value) if value else None
