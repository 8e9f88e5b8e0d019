"""Vertex AI's PipelineService as clients see it: jobs that somebody else moves on.

As strict as the service is: unknown fields, parents, filters, masks and pipeline specs are refused,
lists carry no `job_detail`, names are returned with the project's number.
"""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import (
    CancelPipelineJobRequest,
    CreatePipelineJobRequest,
    DeleteOperationMetadata,
    DeletePipelineJobRequest,
    GetPipelineJobRequest,
    ListPipelineJobsRequest,
    ListPipelineJobsResponse,
    PipelineJob,
    PipelineState,
    PipelineTaskDetail,
)
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.cloud.servers import filters
from tests.cloud.servers.faults import Faults
from tests.cloud.servers.grpc_server import Method, Service
from tests.cloud.servers.refusal import page_start, refuse

_ENDED = {
    PipelineState.PIPELINE_STATE_SUCCEEDED,
    PipelineState.PIPELINE_STATE_FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED,
}
_ORDERED = "= != < > <= >="
_FILTERS = {
    "pipeline_name": "= !=",
    "display_name": "= != :",
    "state": "= !=",
    "create_time": _ORDERED,
    "update_time": _ORDERED,
    "end_time": _ORDERED,
    "labels.": "= :",
}
_ORDERS = {"create_time", "update_time", "end_time", "start_time"}
_LARGEST_PAGE = 500
_STRIPPED = ("job_detail", "pipeline_spec")
"""What no list answers."""

State = PipelineTaskDetail.State


class PipelineService:
    """The jobs of one region of one project.

    Attributes:
        jobs: by id, whole.
        on_create: called with the id of each new job.
        lists: the filter of each list call.
    """

    def __init__(self, project: str, number: str, region: str) -> None:
        self._places = {f"projects/{p}/locations/{region}" for p in (project, number)}
        self._parent = f"projects/{number}/locations/{region}"
        self._lock = threading.RLock()
        self.faults = Faults()
        self.jobs: dict[str, PipelineJob] = {}
        self.creations: list[str] = []
        self.lists: list[str] = []
        self.on_create: Callable[[str], None] = lambda job_id: None

    def services(self) -> list[Service]:
        """Return what a server has to offer."""
        methods = {
            "CreatePipelineJob": Method(self.create, CreatePipelineJobRequest),
            "GetPipelineJob": Method(self._get, GetPipelineJobRequest),
            "ListPipelineJobs": Method(self._list, ListPipelineJobsRequest),
            "CancelPipelineJob": Method(self._cancel, CancelPipelineJobRequest),
            "DeletePipelineJob": Method(self._delete, DeletePipelineJobRequest),
        }
        return [Service("google.cloud.aiplatform.v1.PipelineService", methods, self.faults)]

    def change(self, job_id: str, **values: Any) -> None:
        """Set fields of a job, as its `update_time` tells."""
        with self._lock:
            job = self.jobs[job_id]
            for name, value in values.items():
                setattr(job, name, value)
            job.update_time = datetime.now(UTC)

    def change_task(self, job_id: str, task: PipelineTaskDetail) -> None:
        """Set a task of a job, in place of the one of its name."""
        with self._lock:
            detail = self.jobs[job_id].job_detail
            others = [t for t in detail.task_details if t.task_name != task.task_name]
            detail.task_details = [*others, task]
            self.change(job_id)

    def state(self, job_id: str) -> PipelineState | None:
        """Return where a job is; None when there is none."""
        with self._lock:
            return self.jobs[job_id].state if job_id in self.jobs else None

    def create(self, request: CreatePipelineJobRequest) -> PipelineJob:
        """Make a job, once for each id.

        Raises:
            Refusal: there is one, or something is wrong with the request.
        """
        self._check_parent(request.parent)
        job_id = request.pipeline_job_id
        if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", job_id):
            refuse("INVALID_ARGUMENT", f"Invalid pipeline_job_id {job_id!r}.")
        _check_job(request.pipeline_job)
        with self._lock:
            if job_id in self.jobs:
                name = self.jobs[job_id].name
                refuse("ALREADY_EXISTS", f'The PipelineJob "{name}" already exists.')
            now = datetime.now(UTC)
            job = PipelineJob(request.pipeline_job)
            job.name = f"{self._parent}/pipelineJobs/{job_id}"
            job.create_time = job.update_time = now
            job.state = PipelineState.PIPELINE_STATE_PENDING
            self.jobs[job_id] = job
            self.creations.append(job_id)
        self.on_create(job_id)
        return PipelineJob(job)

    def _get(self, request: GetPipelineJobRequest) -> PipelineJob:
        with self._lock:
            return PipelineJob(self._found(request.name))

    def _list(self, request: ListPipelineJobsRequest) -> ListPipelineJobsResponse:
        self._check_parent(request.parent)
        self.lists.append(request.filter)
        terms = filters.parse(request.filter, _FILTERS)
        field, _, direction = (request.order_by or "create_time desc").partition(" ")
        if field not in _ORDERS or direction not in ("", "desc"):
            refuse("INVALID_ARGUMENT", f"Can't order by {request.order_by!r}.")
        mask = _checked_mask(request)
        with self._lock:
            found = [j for j in self.jobs.values() if _matches(j, terms)]
            found.sort(key=lambda job: str(getattr(job, field)), reverse=direction == "desc")
            start = page_start(request.page_token)
            end = start + min(request.page_size or 50, _LARGEST_PAGE)
            return ListPipelineJobsResponse(
                pipeline_jobs=[_shown(job, mask) for job in found[start:end]],
                next_page_token=str(end) if end < len(found) else "",
            )

    def _cancel(self, request: CancelPipelineJobRequest) -> empty_pb2.Empty:
        with self._lock:
            job = self._found(request.name)
            if job.state in _ENDED:
                refuse("FAILED_PRECONDITION", f"The PipelineJob {job.name} has ended.")
            self.change(_id(job), state=PipelineState.PIPELINE_STATE_CANCELLING)
        return empty_pb2.Empty()

    def _delete(self, request: DeletePipelineJobRequest) -> operations_pb2.Operation:
        with self._lock:
            job = self._found(request.name)
            if job.state not in _ENDED:
                refuse("FAILED_PRECONDITION", f"The PipelineJob {job.name} is running.")
            del self.jobs[_id(job)]
        operation = operations_pb2.Operation(name=f"{job.name}/operations/1", done=True)
        metadata = DeleteOperationMetadata()
        operation.metadata.Pack(DeleteOperationMetadata.pb(metadata))
        operation.response.Pack(empty_pb2.Empty())
        return operation

    def _check_parent(self, parent: str) -> None:
        if not re.fullmatch(r"projects/[^/]+/locations/[^/]+", parent):
            refuse("INVALID_ARGUMENT", f"Invalid parent {parent!r}.")
        if parent in self._places:
            return
        if parent.split("/")[1] not in {place.split("/")[1] for place in self._places}:
            refuse(
                "PERMISSION_DENIED", f"Permission 'aiplatform.pipelineJobs' denied on {parent!r}."
            )
        refuse("INVALID_ARGUMENT", f"{parent!r} isn't served by this regional endpoint.")

    def _found(self, name: str) -> PipelineJob:
        parent, _, job_id = name.partition("/pipelineJobs/")
        self._check_parent(parent)
        if job_id not in self.jobs:
            refuse("NOT_FOUND", f'The PipelineJob "{name}" does not exist.')
        return self.jobs[job_id]


def _id(job: PipelineJob) -> str:
    return job.name.rpartition("/")[2]


def _check_job(job: PipelineJob) -> None:
    if not job.runtime_config.gcs_output_directory.startswith("gs://"):
        refuse("INVALID_ARGUMENT", "runtime_config.gcs_output_directory must be a gs:// URI.")
    for key, value in job.labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(
            r"[a-z0-9_-]{0,63}", value
        ):
            refuse("INVALID_ARGUMENT", f"Invalid label {key}={value}.")
    spec = json_format.MessageToDict(PipelineJob.pb(job).pipeline_spec)
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        refuse("INVALID_ARGUMENT", f"Invalid pipeline_spec: {error}")
    if not spec.get("root", {}).get("dag", {}).get("tasks"):
        refuse("INVALID_ARGUMENT", "pipeline_spec has no tasks.")


def _matches(job: PipelineJob, terms: list[filters.Term]) -> bool:
    return all(filters.matches(term, _value(job, term.field)) for term in terms)


def _value(job: PipelineJob, field: str) -> str | None:
    if field.startswith("labels."):
        return job.labels.get(field.removeprefix("labels."))
    if field == "state":
        return job.state.name
    if field.endswith("_time"):
        time = getattr(job, field)
        return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else None
    return str(getattr(job, field, ""))


def _checked_mask(request: ListPipelineJobsRequest) -> set[str]:
    known = set(PipelineJob.pb().DESCRIPTOR.fields_by_name)
    asked = set(request.read_mask.paths)
    if unknown := asked - known - {"*"}:
        refuse("INVALID_ARGUMENT", f"Unknown field in read_mask: {sorted(unknown)}.")
    return (known if not asked or "*" in asked else asked) - set(_STRIPPED)


def _shown(job: PipelineJob, mask: set[str]) -> PipelineJob:
    shown = PipelineJob(job)
    message = PipelineJob.pb(shown)
    for field, _ in message.ListFields():
        if field.name not in mask:
            message.ClearField(field.name)
    return shown
