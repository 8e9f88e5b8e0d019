"""The servers are as strict as Google: they refuse what it refuses; lists say as little."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import (
    CreatePipelineJobRequest,
    ListPipelineJobsRequest,
    PipelineTaskDetail,
)
from google.cloud.devtools.cloudbuild_v1 import (
    Build,
    BuildStep,
    CreateBuildRequest,
    ListBuildsRequest,
)
from google.cloud.logging_v2.types import ListLogEntriesRequest
from google.protobuf.field_mask_pb2 import FieldMask

from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.target import target_of
from engine.spec.cloud import JOB_LABEL, job_id
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.cloud.servers.standin_builds import standin_job
from tests.faults.standin import standin_spec

__all__ = ["cloud", "served"]

PARENT = "projects/shop-test/locations/europe-central2"
LABEL = 'labels.towerlab-workspace="x"'


@pytest.fixture
def clients(cloud: Cloud) -> Clients:
    return Clients(target_of(cloud.settings), cloud.settings.endpoints, Patience(2, 2, 0.01))


@pytest.fixture
def job(cloud: Cloud, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a job with one task."""
    monkeypatch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
    uid = uuid4().hex
    name = job_id(uid, 1)
    clients.pipelines.create_pipeline_job(
        CreatePipelineJobRequest(
            parent=PARENT,
            pipeline_job_id=name,
            pipeline_job=standin_job(standin_spec(uid), clients.target),
        )
    )
    cloud.pipelines.change_task(name, PipelineTaskDetail(task_name="Trainer"))
    yield name
    cloud.pipelines.jobs.clear()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"parent": "projects/shop-test"}, exceptions.InvalidArgument),
        ({"parent": "projects/shop-test/locations/europe-west4"}, exceptions.InvalidArgument),
        ({"parent": "projects/other/locations/europe-central2"}, exceptions.PermissionDenied),
        ({"filter": 'uid="x"'}, exceptions.InvalidArgument),
        ({"filter": f"{LABEL} OR {LABEL}"}, exceptions.InvalidArgument),
        ({"filter": 'labels.a>"x"'}, exceptions.InvalidArgument),
        ({"filter": "state"}, exceptions.InvalidArgument),
        ({"order_by": "cost desc"}, exceptions.InvalidArgument),
        ({"page_token": "next"}, exceptions.InvalidArgument),
        ({"read_mask": FieldMask(paths=["name", "cost"])}, exceptions.InvalidArgument),
    ],
)
def test_a_list_of_jobs_that_vertex_would_refuse_is_refused(
    clients: Clients, changes: dict[str, object], refusal: type[Exception]
):
    request = ListPipelineJobsRequest({"parent": PARENT, **changes})
    with pytest.raises(refusal):
        clients.pipelines.list_pipeline_jobs(request)


@pytest.mark.parametrize("mask", [[], ["*"], ["name", "job_detail", "pipeline_spec"]])
def test_a_list_of_jobs_has_no_details(clients: Clients, job: str, mask: list[str]):
    request = ListPipelineJobsRequest(parent=PARENT, read_mask=FieldMask(paths=mask))
    (listed,) = clients.pipelines.list_pipeline_jobs(request)
    assert listed.name == f"projects/123456789012/locations/europe-central2/pipelineJobs/{job}"
    assert not listed.job_detail.task_details
    assert not listed.pipeline_spec
    whole = clients.pipelines.get_pipeline_job(name=listed.name)
    assert [task.task_name for task in whole.job_detail.task_details] == ["Trainer"]
    assert whole.pipeline_spec


def test_a_field_that_no_request_has_is_refused(clients: Clients):
    known = ListPipelineJobsRequest.serialize(ListPipelineJobsRequest(parent=PARENT))
    call = clients.pipelines.transport.grpc_channel.unary_unary(
        "/google.cloud.aiplatform.v1.PipelineService/ListPipelineJobs"
    )
    call(known, timeout=5)
    unknown = bytes([0xFA, 0x3E, 0x01, 0x78])  # field 1007, one letter
    with pytest.raises(Exception, match="Unknown field in google.cloud.aiplatform.v1.List"):
        call(known + unknown, timeout=5)


def test_a_job_that_vertex_would_refuse_is_refused(clients: Clients, job: str):
    spec = standin_spec("1" * 16)
    good = standin_job(spec, clients.target)

    def create(name: str = "qt-1-a1", **changes: object) -> None:
        made = standin_job(spec, clients.target)
        for field, value in changes.items():
            setattr(made, field, value)
        request = CreatePipelineJobRequest(parent=PARENT, pipeline_job_id=name, pipeline_job=made)
        clients.pipelines.create_pipeline_job(request)

    with pytest.raises(exceptions.AlreadyExists):
        create(job)
    for changes in (
        {"name": "Q"},
        {"labels": {"Team": "x"}},
        {"runtime_config": {"gcs_output_directory": "/tmp"}},
        {"pipeline_spec": {**dict(good.pipeline_spec), "cost": 1}},
        {"pipeline_spec": {"schemaVersion": "2.0.0"}},
    ):
        with pytest.raises(exceptions.InvalidArgument):
            create(**changes)


def test_a_job_that_goes_on_is_not_deleted_and_one_that_is_not_there_is_not_found(
    clients: Clients, job: str
):
    with pytest.raises(exceptions.FailedPrecondition):
        clients.pipelines.delete_pipeline_job(name=f"{PARENT}/pipelineJobs/{job}")
    for call in ("get", "cancel", "delete"):
        with pytest.raises(exceptions.NotFound):
            getattr(clients.pipelines, f"{call}_pipeline_job")(name=f"{PARENT}/pipelineJobs/no")


@pytest.mark.parametrize(
    "changes",
    [
        {"substitutions": {"_USED": "x", "_UNUSED": "y"}},
        {"substitutions": {}},
        {"tags": ["a tag"]},
        {"service_account": "runner@shop-test.iam.gserviceaccount.com"},
        {"substitutions": {"_USED": "x" * 4001}},
    ],
)
def test_a_build_that_cloud_build_would_refuse_is_refused(
    clients: Clients, changes: dict[str, object]
):
    build = {"steps": [BuildStep(name="image", args=["$_USED"])], "substitutions": {"_USED": "x"}}
    request = CreateBuildRequest(
        parent=PARENT, project_id="shop-test", build=Build({**build, **changes})
    )
    with pytest.raises(exceptions.InvalidArgument):
        clients.builds.create_build(request)


@pytest.mark.parametrize("wanted", ['name="x"', 'tags!="x"', "tags", 'create_time="now"'])
def test_a_list_of_builds_by_an_unknown_filter_is_refused(clients: Clients, wanted: str):
    request = ListBuildsRequest(parent=PARENT, project_id="shop-test", filter=wanted)
    with pytest.raises(exceptions.InvalidArgument):
        clients.builds.list_builds(request)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"resource_names": ["projects/other"]}, exceptions.PermissionDenied),
        ({"order_by": "severity desc"}, exceptions.InvalidArgument),
        ({"filter": 'resource.type!="ml_job"'}, exceptions.InvalidArgument),
        ({"filter": 'text="x"'}, exceptions.InvalidArgument),
    ],
)
def test_a_list_of_log_entries_that_logging_would_refuse_is_refused(
    clients: Clients, changes: dict[str, object], refusal: type[Exception]
):
    request = ListLogEntriesRequest({"resource_names": ["projects/shop-test"], **changes})
    with pytest.raises(refusal):
        clients.logging.list_log_entries(request)


def test_dataflow_lists_jobs_without_labels_and_refuses_what_it_does_not_know(
    cloud: Cloud, clients: Clients
):
    started = cloud.dataflow.start("beam", {JOB_LABEL: "x"})
    ask, url = clients.ask, clients.dataflow_url
    listed = ask("GET", url, query={"filter": "ACTIVE"})["jobs"]
    assert ["labels" in j for j in listed if j["id"] == started] == [False]
    assert ask("GET", f"{url}/{started}")["labels"] == {JOB_LABEL: "x"}
    for params in ({"filter": "RUNNING"}, {"state": "x"}):
        with pytest.raises(exceptions.BadRequest):
            ask("GET", url, query=params)
    with pytest.raises(exceptions.BadRequest):
        ask("PUT", f"{url}/{started}", body={"state": "JOB_STATE_CANCELLED"})
    with pytest.raises(exceptions.NotFound):
        ask("GET", url.replace("europe-west1", "europe-west4"))
    cloud.dataflow.end(started)


def test_the_project_refuses_unknown_names_and_permissions(clients: Clients):
    url = clients.service_url("Resource Manager", "v1/projects/shop-test:testIamPermissions")
    for body in ({"permission": ["a.b.c"]}, {"permissions": ["aiplatform.*"]}):
        with pytest.raises(exceptions.BadRequest):
            clients.ask("POST", url, body=body)
    services = clients.service_url("Service Usage", "v1/projects/shop-test/services")
    for params in ({"filter": "on"}, {"size": "3"}):
        with pytest.raises(exceptions.BadRequest):
            clients.ask("GET", services, query=params)
