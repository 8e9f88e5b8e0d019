"""What Google's libraries raise, in the words of somebody who has to do something about it.

Not signed in, login expired, no network, no project, an API that is off and a missing role are told
apart: each needs something else.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from engine.errors import EnvironmentNotReady
from engine.text import safe_line

SIGN_IN = "Run `gcloud auth application-default login`."
WAIT = "Nothing has to be done: it is tried again by itself."
_MESSAGE_LIMIT = 300
_UNREACHABLE = re.compile(
    r"failed to connect|name resolution|resolve|dns|unreachable|connection refused|no route",
    re.IGNORECASE,
)
_REFUSED_LOGIN = re.compile(
    r"invalid_grant|invalid_rapt|reauthentication|expired or revoked|account has been deleted",
    re.IGNORECASE,
)
_SIGNED_OUT = re.compile(
    r"default credentials were not found|is not a valid json file|does not have a valid type",
    re.IGNORECASE,
)
_DISABLED = re.compile(r"has not been used in project|it is disabled|SERVICE_DISABLED")
_API_NAME = re.compile(r"\b([a-z]+\.googleapis\.com)/overview")
_NO_PROJECT = re.compile(
    r"CONSUMER_INVALID|project.*(not found|does not exist|not exist|invalid|has been deleted)",
    re.IGNORECASE,
)
_ROLES = {
    "Vertex AI": "roles/aiplatform.user",
    "Cloud Build": "roles/cloudbuild.builds.editor",
    "Cloud Logging": "roles/logging.viewer",
    "Cloud Storage": "roles/storage.objectAdmin on the bucket",
    "Dataflow": "roles/dataflow.developer",
    "BigQuery": "roles/bigquery.user and roles/bigquery.dataViewer",
    "Service Usage": "roles/serviceusage.serviceUsageConsumer",
    "Artifact Registry": "roles/artifactregistry.reader",
    "IAM": "roles/iam.serviceAccountUser on the runner",
    "Compute Engine": "roles/compute.viewer",
}
"""By service, the role that an account lacks to which it answers 403."""
API_NAMES = {
    "Vertex AI": "aiplatform.googleapis.com",
    "Cloud Build": "cloudbuild.googleapis.com",
    "Cloud Logging": "logging.googleapis.com",
    "Cloud Storage": "storage.googleapis.com",
    "Dataflow": "dataflow.googleapis.com",
    "BigQuery": "bigquery.googleapis.com",
    "Service Usage": "serviceusage.googleapis.com",
    "Resource Manager": "cloudresourcemanager.googleapis.com",
    "Artifact Registry": "artifactregistry.googleapis.com",
    "IAM": "iam.googleapis.com",
    "Compute Engine": "compute.googleapis.com",
}
"""By service, the name of its API."""


class Refused(EnvironmentNotReady):
    """The service understood and says no: asking again unchanged gives the same answer."""


@contextmanager
def told(service: str, what: str, project: str) -> Generator[None]:
    """Translate what is raised within.

    Args:
        service: that is called, as "Vertex AI".
        what: is asked of it, as "list the jobs".
        project: whose it is.

    Raises:
        EnvironmentNotReady: it can't be done now; the hint says what to do.
    """
    try:
        yield
    except (api.GoogleAPIError, auth.GoogleAuthError, requests.RequestException, OSError) as error:
        raise explained(error, service, what, project) from error


def explained(error: BaseException, service: str, what: str, project: str) -> EnvironmentNotReady:
    """Return the error that says what failed and what to do; see `told`."""
    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        error = error.cause
    if _is_signed_out(error):
        return EnvironmentNotReady("Nobody is signed in to Google Cloud.", hint=SIGN_IN)
    if is_login(error):
        return EnvironmentNotReady("The login to Google Cloud has expired.", hint=SIGN_IN)
    if isinstance(error, api.Forbidden):
        return _forbidden(error, service, what, project)
    if isinstance(error, api.NotFound) and _NO_PROJECT.search(str(error)):
        return _no_project(project)
    if isinstance(error, (api.TooManyRequests,)):
        return EnvironmentNotReady(
            f"{service}'s quota of {project} is used up: it can't {what} now.", hint=WAIT
        )
    if isinstance(error, (api.DeadlineExceeded, api.GatewayTimeout, requests.Timeout)):
        return EnvironmentNotReady(f"{service} doesn't answer in time to {what}.", hint=WAIT)
    if _is_network(error):
        return EnvironmentNotReady(
            f"{service} can't be reached to {what}.", hint=f"Is there a network? {WAIT}"
        )
    if isinstance(error, api.ServerError):
        return EnvironmentNotReady(f"{service} is out of order: it can't {what} now.", hint=WAIT)
    return Refused(f"{service} refuses to {what}: {_short(error)}", hint="Run `towerlab doctor`.")


def _forbidden(error: api.Forbidden, service: str, what: str, project: str) -> EnvironmentNotReady:
    text = str(error)
    if _NO_PROJECT.search(text):
        return _no_project(project)
    if _DISABLED.search(text):
        named = _API_NAME.search(text)
        name = named[1] if named else API_NAMES.get(service, service)
        return Refused(
            f"{service}'s API is off in project {project}.",
            hint=f"Run `gcloud services enable {name} --project={project}`.",
        )
    role = _ROLES.get(service, "a role")
    return Refused(
        f"Your account may not {what} ({service} in project {project}).",
        hint=f"It needs {role}: docs/cloud.md tells how to grant it.",
    )


def _no_project(project: str) -> EnvironmentNotReady:
    return Refused(
        f"There is no project {project}, or your account doesn't see it.",
        hint="Correct `project` under [cloud] in config.toml; `gcloud projects list` lists yours.",
    )


def is_login(error: BaseException) -> bool:
    """Whether nobody is signed in, or the login has expired, however a library says so."""
    if _is_signed_out(error):
        return True
    if isinstance(error, (auth.RefreshError, api.Unauthorized)):
        return not _is_network(error)
    return isinstance(error, api.ServiceUnavailable) and bool(_REFUSED_LOGIN.search(str(error)))


def _is_signed_out(error: BaseException) -> bool:
    if isinstance(error, auth.DefaultCredentialsError):
        return True
    within_grpc = isinstance(error, (api.ServiceUnavailable, api.InternalServerError))
    return within_grpc and bool(_SIGNED_OUT.search(str(error)))


def _is_network(error: BaseException) -> bool:
    if isinstance(error, (requests.ConnectionError, auth.TransportError, ConnectionError)):
        return True
    causes = (api.ServiceUnavailable, auth.RefreshError, api.RetryError)
    return isinstance(error, causes) and _UNREACHABLE.search(str(error)) is not None


def _short(error: BaseException) -> str:
    """Return what a library says, in a line that a log or a terminal can show."""
    text = " ".join(str(getattr(error, "message", "") or error).split())
    return safe_line(text, limit=_MESSAGE_LIMIT)
