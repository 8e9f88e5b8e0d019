"""What `towerlab doctor` asks of Google Cloud: sign-in, APIs, roles, regions, buckets and so on.

Every question runs in a thread of its own and has a deadline: a network that swallows packets must
not keep somebody waiting who wants to know what is wrong.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from google.api_core import exceptions
from google.auth.transport.requests import Request

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import Jobs
from engine.backends.vertex.problems import WAIT, Refused, told
from engine.config import CloudSettings
from engine.errors import EngineError, EnvironmentNotReady
from engine.findings import Check

DEADLINE_SECONDS = 30.0
_SETUP = "docs/cloud.md tells how."
_PERMISSIONS: Mapping[str, Sequence[str]] = {
    "roles/aiplatform.user": (
        "aiplatform.pipelineJobs.create",
        "aiplatform.pipelineJobs.get",
        "aiplatform.pipelineJobs.list",
        "aiplatform.pipelineJobs.cancel",
        "aiplatform.pipelineJobs.delete",
    ),
    "roles/cloudbuild.builds.editor": (
        "cloudbuild.builds.create",
        "cloudbuild.builds.list",
        "cloudbuild.builds.update",
    ),
    "roles/dataflow.developer": (
        "dataflow.jobs.list",
        "dataflow.jobs.get",
        "dataflow.jobs.cancel",
    ),
    "roles/logging.viewer": ("logging.logEntries.list",),
    "roles/bigquery.user": ("bigquery.jobs.create",),
    "roles/serviceusage.serviceUsageConsumer": ("serviceusage.services.use",),
}
_OBJECTS = tuple(f"storage.objects.{verb}" for verb in ("create", "get", "list", "delete"))
_APIS = (
    *("aiplatform", "artifactregistry", "bigquery", "cloudbuild", "compute"),
    *("dataflow", "logging", "storage"),
)
_IMAGE = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/"
    r"(?P<image>[^:@]+)(?::(?P<tag>.+)|@(?P<digest>sha256:[0-9a-f]+))"
)
_LARGEST_WORKER = 16
"""CPUs of the hardware "large"."""


class Question(NamedTuple):
    """One thing to find out; `ask` raises an `EngineError` when it can't be."""

    name: str
    ask: Callable[[Clients, CloudSettings], Check]


def examine(
    clients: Clients, settings: CloudSettings, *, seconds: float = DEADLINE_SECONDS
) -> Iterator[Check]:
    """Yield a check at a time; without a valid sign-in it is the only one.

    Args:
        clients: of the target that the settings name.
        settings: of the workspace.
        seconds: how long to wait for each.
    """
    first = _begin(Question("sign-in", _signed_in), clients, settings, seconds)()
    yield first
    if first.state == "ok":
        waits = [_begin(question, clients, settings, seconds) for question in _QUESTIONS]
        yield from (wait() for wait in waits)


def _begin(
    question: Question, clients: Clients, settings: CloudSettings, seconds: float
) -> Callable[[], Check]:
    """Ask in a thread; return what waits for the answer."""
    answers: SimpleQueue[Check] = SimpleQueue()
    deadline = time.monotonic() + seconds

    def ask() -> None:
        try:
            answers.put(question.ask(clients, settings))
        except EngineError as error:
            hint = error.hint.replace(WAIT, "Ask again later.")
            answers.put(Check(question.name, "missing", error.message, hint))
        except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
            answers.put(Check(question.name, "warning", f"could not be checked: {error}"))

    def wait() -> Check:
        try:
            return answers.get(timeout=max(deadline - time.monotonic(), 0))
        except Empty:
            hint = "Is there a network? Does a proxy or a firewall swallow what is sent?"
            return Check(question.name, "missing", f"no answer within {seconds:.0f} s", hint)

    threading.Thread(target=ask, name=f"doctor: {question.name}", daemon=True).start()
    return wait


def _signed_in(clients: Clients, settings: CloudSettings) -> Check:
    with told("Google", "check the login", settings.project):
        login = clients.credentials
        login.refresh(Request())
    return Check("sign-in", "ok", login.account or "a person's login")


def _apis(clients: Clients, settings: CloudSettings) -> Check:
    path = f"v1/projects/{settings.project}/services"
    query = {"filter": "state:ENABLED", "pageSize": "200"}
    enabled: set[str] = set()
    while True:
        page = _ask(clients, "Service Usage", "list the APIs that are on", "GET", path, query)
        enabled |= {str(s["name"]).rpartition("/")[2] for s in page.get("services", ())}
        if not page.get("nextPageToken"):
            break
        query = {**query, "pageToken": str(page["nextPageToken"])}
    off = [f"{name}.googleapis.com" for name in _APIS if f"{name}.googleapis.com" not in enabled]
    if not off:
        return Check("APIs", "ok", f"the {len(_APIS)} that are needed are on")
    command = f"Run `gcloud services enable --project={settings.project} {' '.join(off)}`."
    return Check("APIs", "missing", f"off in {settings.project}: {', '.join(off)}", command)


def _roles(clients: Clients, settings: CloudSettings) -> Check:
    builds = settings.compile == "cloud-build"
    wanted = {role: p for role, p in _PERMISSIONS.items() if builds or "cloudbuild" not in role}
    found = _ask(
        clients,
        "Resource Manager",
        "tell what your account may do",
        "POST",
        f"v1/projects/{settings.project}:testIamPermissions",
        body={"permissions": [p for permissions in wanted.values() for p in permissions]},
    )
    granted: set[str] = set(found.get("permissions", ()))
    lacking = [role for role, permissions in wanted.items() if not granted.issuperset(permissions)]
    if not lacking:
        return Check("roles", "ok", f"your account has the {len(wanted)} that it needs")
    return Check(
        "roles",
        "missing",
        f"your account lacks on {settings.project}: {', '.join(lacking)}",
        f"Run `gcloud projects add-iam-policy-binding {settings.project} --member=user:YOU"
        f" --role={lacking[0]}`, for each.",
    )


def _artifacts(clients: Clients, settings: CloudSettings) -> Check:
    lacking = _lacking_on(clients, settings, settings.bucket)
    if not lacking:
        return Check("bucket", "ok", f"{settings.bucket} can be read and written")
    bucket = _name_of(settings.bucket)
    return Check(
        "bucket",
        "missing",
        f"your account may not {', '.join(lacking)} objects in gs://{bucket}",
        f"Run `gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=user:YOU"
        " --role=roles/storage.objectAdmin`.",
    )


def _temporary(clients: Clients, settings: CloudSettings) -> Check:
    _lacking_on(clients, settings, settings.temp_bucket)  # only the runner writes there
    return Check("temp bucket", "ok", f"{settings.temp_bucket} is there")


def _lacking_on(clients: Clients, settings: CloudSettings, uri: str) -> list[str]:
    name = _name_of(uri)
    with told("Cloud Storage", f"look at gs://{name}", settings.project):
        try:
            granted = clients.storage.bucket(name).test_iam_permissions(
                list(_OBJECTS), timeout=int(clients.patience.call)
            )
        except exceptions.NotFound as error:
            raise EngineError(
                f"There is no bucket gs://{name}.",
                hint=f"Run `gcloud storage buckets create gs://{name}`: {_SETUP}",
            ) from error
    return [p.rpartition(".")[2] for p in _OBJECTS if p not in cast("list[str]", granted)]


def _image(clients: Clients, settings: CloudSettings) -> Check:
    found = _IMAGE.fullmatch(settings.image)
    if found is None:
        return Check("image", "ok", f"{settings.image} isn't in Artifact Registry: not looked at")
    version = f"tags/{found['tag']}" if found["tag"] else f"versions/{found['digest']}"
    path = (
        f"v1/projects/{found['project']}/locations/{found['location']}/repositories/"
        f"{found['repository']}/packages/{quote(found['image'], safe='')}/{version}"
    )
    what = f"look for {settings.image}"
    if _found(partial(_ask, clients, "Artifact Registry", what, "GET", path)) is not None:
        return Check("image", "ok", settings.image)
    hint = f"Run `gcloud builds submit --tag={settings.image} .` in a checkout: {_SETUP}"
    return Check("image", "missing", f"there is no {settings.image}", hint)


def _account(clients: Clients, settings: CloudSettings) -> Check:
    account = settings.service_account
    if not account:
        return Check("runner", "ok", "jobs run as the project's default account")
    path = f"v1/projects/-/serviceAccounts/{quote(account, safe='@')}:testIamPermissions"
    body = {"permissions": ["iam.serviceAccounts.actAs"]}
    found = _found(partial(_ask, clients, "IAM", f"look at {account}", "POST", path, body=body))
    if found is None:
        name = account.partition("@")[0]
        hint = f"Run `gcloud iam service-accounts create {name}`: {_SETUP}"
        return Check("runner", "missing", f"there is no account {account}", hint)
    if found.get("permissions"):
        return Check("runner", "ok", f"jobs run as {account}")
    return Check(
        "runner",
        "missing",
        f"your account may not start jobs as {account}",
        f"Run `gcloud iam service-accounts add-iam-policy-binding {account} --member=user:YOU"
        " --role=roles/iam.serviceAccountUser`.",
    )


def _region(clients: Clients, settings: CloudSettings) -> Check:
    try:
        Jobs(clients).list(datetime.now(UTC))
    except Refused as error:
        if isinstance(error.__cause__, exceptions.Forbidden):  # the roles' affair
            raise
        message = f"Vertex AI refuses {settings.region}: {error.__cause__}"
        return Check("region", "missing", message, _correct("region"))
    except EnvironmentNotReady as error:
        # Each region has a host of its own: that of a region that isn't there can't be reached.
        hint = f"Is `region`, {settings.region}, right? {error.hint}"
        raise EnvironmentNotReady(error.message, hint=hint) from error
    return Check("region", "ok", f"Vertex AI answers in {settings.region}")


def _quotas(clients: Clients, settings: CloudSettings) -> Check:
    region = settings.dataflow_region
    path = f"compute/v1/projects/{settings.project}/regions/{region}"
    try:
        found = _ask(clients, "Compute Engine", "tell the quotas", "GET", path)
    except Refused as error:
        if not re.search(rf"regions/{region}'|unknown region", str(error.__cause__), re.IGNORECASE):
            raise
        message = f"there is no region {region} for Dataflow's workers"
        return Check("quotas", "missing", message, _correct("dataflow_region"))
    free = {q["metric"]: q["limit"] - q.get("usage", 0) for q in found.get("quotas", ())}
    wanted = {"CPUS": _LARGEST_WORKER, **({} if settings.subnetwork else {"IN_USE_ADDRESSES": 1})}
    told = ", ".join(f"{free.get(metric, 0):.0f} {metric}" for metric in wanted)
    message = f"free for Dataflow's workers in {region}: {told}"
    if all(free.get(metric, 0) >= least for metric, least in wanted.items()):
        return Check("quotas", "ok", message)
    hint = (
        f"The largest worker takes {_LARGEST_WORKER} CPUs, and an address unless there is a"
        " subnetwork: choose smaller hardware, or ask for more under IAM & Admin, Quotas."
    )
    return Check("quotas", "warning", message, hint)


_QUESTIONS = (
    Question("APIs", _apis),
    Question("roles", _roles),
    Question("region", _region),
    Question("bucket", _artifacts),
    Question("temp bucket", _temporary),
    Question("image", _image),
    Question("runner", _account),
    Question("quotas", _quotas),
)


def _correct(setting: str) -> str:
    listed = "`gcloud compute regions list` lists them."
    return f"Correct `{setting}` under [cloud] in config.toml; {listed}"


def _name_of(uri: str) -> str:
    return uri.removeprefix("gs://").partition("/")[0]


def _found(ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return an answer; None where what was asked for isn't there."""
    try:
        return ask()
    except Refused as error:
        if isinstance(error.__cause__, exceptions.NotFound):
            return None
        raise


def _ask(
    clients: Clients,
    service: str,
    what: str,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the answer of a service that has no client library here.

    Raises:
        EnvironmentNotReady: it doesn't answer, or refuses.
    """
    with told(service, what, clients.target.project):
        return clients.ask(method, clients.service_url(service, path), query=query, body=body)
