"""Cloud Build as clients see it: builds whose steps somebody else carries out."""

import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from google.cloud.devtools.cloudbuild_v1 import (
    Build,
    BuildOperationMetadata,
    CancelBuildRequest,
    CreateBuildRequest,
    GetBuildRequest,
    ListBuildsRequest,
    ListBuildsResponse,
)
from google.longrunning import operations_pb2

from tests.cloud.servers import filters
from tests.cloud.servers.faults import Faults
from tests.cloud.servers.grpc_server import Method, Service
from tests.cloud.servers.refusal import page_start, refuse

_FILTERS = {"tags": "=", "status": "=", "build_id": "=", "create_time": "< > <= >="}
_LARGEST_PAGE = 100
_TAG = re.compile(r"[\w][\w.-]{0,127}")
_SUBSTITUTION = re.compile(r"\$(?:\{(_[A-Z0-9_]+)\}|(_[A-Z0-9_]+))")

Status = Build.Status


class CloudBuild:
    """The builds of one region of one project.

    Attributes:
        builds: by id, in the order of their creation.
        run: carries out a build, which has the arguments of its only step filled in; what it raises
            fails the build.
    """

    def __init__(self, project: str, number: str, region: str) -> None:
        self._project, self._number, self._region = project, number, region
        self._places = {f"projects/{p}/locations/{region}" for p in (project, number)}
        self._lock = threading.RLock()
        self.faults = Faults()
        self.builds: dict[str, Build] = {}
        self.run: Callable[[Build, list[str]], None] = lambda build, arguments: None

    def services(self) -> list[Service]:
        """Return what a server has to offer."""
        methods = {
            "CreateBuild": Method(self._create, CreateBuildRequest),
            "GetBuild": Method(self._get, GetBuildRequest),
            "ListBuilds": Method(self._list, ListBuildsRequest),
            "CancelBuild": Method(self._cancel, CancelBuildRequest),
        }
        return [Service("google.devtools.cloudbuild.v1.CloudBuild", methods, self.faults)]

    def _create(self, request: CreateBuildRequest) -> operations_pb2.Operation:
        self._check_parent(request.parent, request.project_id)
        build = Build(request.build)
        arguments = _filled_in(build)
        if build.service_account and not re.fullmatch(
            r"projects/[^/]+/serviceAccounts/[^/]+", build.service_account
        ):
            refuse("INVALID_ARGUMENT", f"Invalid service account {build.service_account!r}.")
        if bad := [tag for tag in build.tags if not _TAG.fullmatch(tag)]:
            refuse("INVALID_ARGUMENT", f"Invalid tags {bad}.")
        build.id = str(uuid.uuid4())
        build.name = f"projects/{self._number}/locations/{self._region}/builds/{build.id}"
        build.project_id = self._project
        build.status = Status.QUEUED
        build.create_time = datetime.now(UTC)
        build.log_url = f"https://console.cloud.google.com/cloud-build/builds/{build.id}"
        with self._lock:
            self.builds[build.id] = build
        threading.Thread(target=self._carry_out, args=(build, arguments), daemon=True).start()
        return self._operation(build)

    def _carry_out(self, build: Build, arguments: list[str]) -> None:
        if not self._move(build, Status.WORKING, start_time=datetime.now(UTC)):
            return
        try:
            self.run(build, arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, the build has failed
            detail = {"type_": Build.FailureInfo.FailureType.USER_BUILD_STEP, "detail": str(error)}
            self._move(
                build,
                Status.FAILURE,
                finish_time=datetime.now(UTC),
                failure_info=Build.FailureInfo(**detail),
                status_detail="Build step failure: build step 0 failed",
            )
        else:
            self._move(build, Status.SUCCESS, finish_time=datetime.now(UTC))

    def _move(self, build: Build, status: Status, **values: object) -> bool:
        """Set the status of a build unless it has ended."""
        with self._lock:
            if build.status >= Status.SUCCESS:
                return False
            build.status = status
            for name, value in values.items():
                setattr(build, name, value)
            return True

    def _get(self, request: GetBuildRequest) -> Build:
        return Build(self._found(request.name, request.id))

    def _list(self, request: ListBuildsRequest) -> ListBuildsResponse:
        self._check_parent(request.parent, request.project_id)
        terms = filters.parse(request.filter, _FILTERS)
        with self._lock:
            found = [b for b in reversed(self.builds.values()) if _matches(b, terms)]
        start = page_start(request.page_token)
        end = start + min(request.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
        return ListBuildsResponse(
            builds=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )

    def _cancel(self, request: CancelBuildRequest) -> Build:
        build = self._found(request.name, request.id)
        if not self._move(build, Status.CANCELLED, finish_time=datetime.now(UTC)):
            refuse("FAILED_PRECONDITION", f"The build {build.id} has ended.")
        return Build(build)

    def _operation(self, build: Build) -> operations_pb2.Operation:
        operation = operations_pb2.Operation(
            name=f"operations/build/{build.project_id}/{build.id}", done=False
        )
        operation.metadata.Pack(BuildOperationMetadata.pb(BuildOperationMetadata(build=build)))
        return operation

    def _found(self, name: str, build_id: str) -> Build:
        if name:
            parent, _, build_id = name.partition("/builds/")
            self._check_parent(parent, self._project)
        with self._lock:
            if build_id not in self.builds:
                refuse("NOT_FOUND", "Requested entity was not found.")
            return self.builds[build_id]

    def _check_parent(self, parent: str, project: str) -> None:
        if project not in (self._project, self._number):
            refuse("PERMISSION_DENIED", "The caller does not have permission")
        if parent not in self._places:
            refuse("INVALID_ARGUMENT", f"Invalid parent {parent!r}.")


def _filled_in(build: Build) -> list[str]:
    """Return the arguments of the only step with its substitutions, all of which must be used."""
    if len(build.steps) != 1:
        refuse("INVALID_ARGUMENT", "This server takes builds of one step.")
    step, given = build.steps[0], dict(build.substitutions)
    used: set[str] = set()

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        used.add(name)
        if name not in given:
            refuse("INVALID_ARGUMENT", f"key {name!r} in the template is not matched")
        return given[name]

    arguments = [
        _SUBSTITUTION.sub(value, word) for word in (step.name, step.entrypoint, *step.args)
    ]
    if unused := set(given) - used:
        refuse("INVALID_ARGUMENT", f"keys in the substitutions are not used: {sorted(unused)}")
    if any(len(text) > 4000 for text in given.values()):
        refuse("INVALID_ARGUMENT", "a substitution is longer than 4000 characters")
    return arguments[1:]


def _matches(build: Build, terms: list[filters.Term]) -> bool:
    for term in terms:
        if term.field == "tags":
            if not set(term.values) & set(build.tags):
                return False
        elif not filters.matches(term, _value(build, term.field)):
            return False
    return True


def _value(build: Build, field: str) -> str:
    value = getattr(build, "id" if field == "build_id" else field)
    if field.endswith("_time"):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value.name if field == "status" else str(value)
