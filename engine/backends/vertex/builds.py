"""Builds of Cloud Build: each compiles one experiment in our image and creates its pipeline job."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import cast

from google.api_core import exceptions
from google.cloud.devtools.cloudbuild_v1 import (
    Build,
    BuildOperationMetadata,
    CancelBuildRequest,
    CreateBuildRequest,
    GetBuildRequest,
    ListBuildsRequest,
)

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.problems import told
from engine.backends.vertex.record import Submission
from engine.spec import ExperimentSpec
from engine.spec.cloud import OWNER_LABEL, CloudTarget, build_substitutions, compile_options

_SERVICE = "Cloud Build"
_PAGE = 500
Status = Build.Status

QUEUED = (Status.PENDING, Status.QUEUED)
_ENDED = (
    *(Status.SUCCESS, Status.FAILURE, Status.INTERNAL_ERROR),
    *(Status.TIMEOUT, Status.CANCELLED, Status.EXPIRED),
)
_REASONS = {
    Status.TIMEOUT: "The build that compiles the pipeline took too long.",
    Status.EXPIRED: "The build that compiles the pipeline waited too long in the queue.",
    Status.INTERNAL_ERROR: "Cloud Build failed by its own fault.",
}


class Builds:
    """The builds of a target."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._project = clients.target.project

    def create(self, spec: ExperimentSpec, submission: Submission) -> str:
        """Start a build, and return its id.

        It is not repeated here: should the answer get lost, the build is found by its tag.

        Raises:
            EnvironmentNotReady: it is not known to have been started.
        """
        target = submission.target
        build = Build.from_json(json.dumps(_template()))
        options = compile_options(target, spec, target.spec_uri(spec.uid))
        build.substitutions = build_substitutions(options)
        build.tags = [submission.build_tag, owner_tag(target)]
        if target.service_account:
            account = target.service_account
            build.service_account = f"projects/{target.project}/serviceAccounts/{account}"
        request = CreateBuildRequest(parent=target.parent, project_id=target.project, build=build)
        with told(_SERVICE, "start a build", self._project):
            started = self._clients.builds.create_build(request, **self._clients.patience.once)
            metadata = cast(BuildOperationMetadata, started.metadata)
            return str(metadata.build.id)

    def find(self, tag: str) -> list[Build]:
        """Return the builds with a tag, newest first.

        Raises:
            EnvironmentNotReady: Cloud Build doesn't answer.
        """
        return self._list(f'tags="{tag}"')

    def of_owner(self, since: datetime) -> list[Build]:
        """Return the builds of the target's owner that were created since then, newest first.

        Raises:
            EnvironmentNotReady: Cloud Build doesn't answer.
        """
        created = f'create_time>="{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"'
        return self._list(f'tags="{owner_tag(self._clients.target)}" AND {created}')

    def get(self, build_id: str) -> Build | None:
        """Return a build; None when there is none of this id.

        Raises:
            EnvironmentNotReady: Cloud Build doesn't answer.
        """
        name = f"{self._clients.target.parent}/builds/{build_id}"
        request = GetBuildRequest(name=name, project_id=self._project, id=build_id)
        with told(_SERVICE, "look at a build", self._project):
            try:
                return self._clients.builds.get_build(request, **self._clients.patience.options)
            except exceptions.NotFound:
                return None

    def _list(self, wanted: str) -> list[Build]:
        target = self._clients.target
        request = ListBuildsRequest(
            parent=target.parent, project_id=target.project, filter=wanted, page_size=_PAGE
        )
        with told(_SERVICE, "list the builds", self._project):
            return list(self._clients.builds.list_builds(request, **self._clients.patience.options))

    def cancel(self, build_id: str) -> None:
        """Ask a build to end; one that has ended is left alone.

        Raises:
            EnvironmentNotReady: Cloud Build doesn't answer.
        """
        name = f"{self._clients.target.parent}/builds/{build_id}"
        request = CancelBuildRequest(name=name, project_id=self._project, id=build_id)
        with told(_SERVICE, "cancel a build", self._project):
            try:
                self._clients.builds.cancel_build(request, **self._clients.patience.options)
            except (exceptions.FailedPrecondition, exceptions.NotFound):
                return


def goes_on(build: Build) -> bool:
    """Whether a build hasn't ended, as far as is known: its status may be one that is new."""
    return build.status not in _ENDED


def owner_tag(target: CloudTarget) -> str:
    """Return the tag of the builds for experiments of one workspace."""
    return f"{OWNER_LABEL}-{target.labels.get(OWNER_LABEL, '')}"


def reason(build: Build) -> str:
    """Return why a build failed, in a sentence."""
    if build.status in _REASONS:
        return _REASONS[build.status]
    told = (build.failure_info.detail or build.status_detail or "no reason is given").strip()
    return f"The build that compiles the pipeline failed: {told}"


def _template() -> dict[str, object]:
    import yaml

    text = files("engine.backends.vertex").joinpath("cloudbuild.yaml").read_text("utf-8")
    return yaml.safe_load(text)
