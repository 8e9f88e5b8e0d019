"""Google's clients: made here alone, when one is first needed, and shared by all threads."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.transport.requests import AuthorizedSession
from google.cloud.aiplatform_v1 import PipelineServiceClient
from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.storage import Client as StorageClient
from requests import ConnectionError as NoConnection
from requests import Timeout

from engine.backends.vertex.login import Login
from engine.backends.vertex.problems import API_NAMES, is_login
from engine.config import EndpointSettings
from engine.spec.cloud import CloudTarget

if TYPE_CHECKING:
    from engine.bigquery.warehouse import Warehouse

_PASSING = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.TooManyRequests,
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.GatewayTimeout,
    NoConnection,
    Timeout,
)


@dataclass(frozen=True)
class Patience:
    """How long is waited for Google, in seconds.

    Attributes:
        call: for one answer.
        retries: for an answer, with all repetitions.
        pause: before the first repetition; twice as long before each further one.
        round: for looks at many runs to begin; the rest waits for the next round.
    """

    call: float = 20.0
    retries: float = 45.0
    pause: float = 0.5
    round: float = 60.0

    @property
    def options(self) -> dict[str, Any]:
        """`timeout` and `retry` of a call that may be repeated, with jitter between."""
        retry = Retry(
            predicate=_passes,
            initial=self.pause,
            maximum=8.0,
            multiplier=2.0,
            timeout=self.retries,
        )
        return {"timeout": self.call, "retry": retry}

    @property
    def once(self) -> dict[str, Any]:
        """`timeout` and `retry` of a call that must not be repeated unseen."""
        return {"timeout": self.call, "retry": None}


class Clients:
    """The clients for one target.

    Args:
        target: whose project and region.
        endpoints: where the services are, if not at Google's.
        patience: how long to wait.
    """

    def __init__(
        self, target: CloudTarget, endpoints: EndpointSettings, patience: Patience
    ) -> None:
        self.target = target
        self.patience = patience
        self._endpoints = endpoints
        self._lock = threading.RLock()

    @cached_property
    def credentials(self) -> Login:
        """The credentials of whoever is signed in.

        Raises:
            google.auth.exceptions.DefaultCredentialsError: nobody is.
        """
        with self._lock:
            return Login()

    @cached_property
    def pipelines(self) -> PipelineServiceClient:
        """Vertex AI Pipelines, in the target's region."""
        endpoint = self.target.endpoint or f"{self.target.region}-aiplatform.googleapis.com"
        with self._lock:
            return PipelineServiceClient(
                credentials=self.credentials, client_options=ClientOptions(api_endpoint=endpoint)
            )

    @cached_property
    def builds(self) -> CloudBuildClient:
        """Cloud Build."""
        endpoint = self._endpoints.build or None
        with self._lock:
            return CloudBuildClient(
                credentials=self.credentials, client_options=ClientOptions(api_endpoint=endpoint)
            )

    @cached_property
    def logging(self) -> LoggingServiceV2Client:
        """Cloud Logging."""
        endpoint = self._endpoints.logging or None
        with self._lock:
            return LoggingServiceV2Client(
                credentials=self.credentials, client_options=ClientOptions(api_endpoint=endpoint)
            )

    @cached_property
    def storage(self) -> StorageClient:
        """Cloud Storage."""
        options = ClientOptions(api_endpoint=self._endpoints.storage or None)
        with self._lock:
            return StorageClient(
                project=self.target.project, credentials=self.credentials, client_options=options
            )

    @cached_property
    def warehouse(self) -> "Warehouse":
        """BigQuery, whose library takes seconds to load."""
        from engine.bigquery.warehouse import Warehouse

        with self._lock:
            return Warehouse(self.target.project, self._endpoints.bigquery)

    @cached_property
    def session(self) -> AuthorizedSession:
        """For services that have no client library here."""
        with self._lock:
            return AuthorizedSession(self.credentials)

    @property
    def dataflow_url(self) -> str:
        """Address of Dataflow's jobs in their region."""
        host = self._endpoints.dataflow or "https://dataflow.googleapis.com"
        target = self.target
        return f"{host}/v1b3/projects/{target.project}/locations/{target.dataflow_region}/jobs"

    def ask(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return what a service without a client library here answers; repeated while that helps.

        Args:
            method: of HTTP; what it does must do no harm when it is done twice.
            url: of what is asked for.
            query: options of the address.
            body: is sent as JSON.

        Raises:
            google.api_core.exceptions.GoogleAPIError: it refuses, or is out of order for long.
        """

        def once() -> dict[str, Any]:
            seconds = cast(int, self.patience.call)  # or a part of one, whatever the type says
            answer = self.session.request(method, url, params=query, json=body, timeout=seconds)
            if answer.status_code >= 400:
                raise exceptions.from_http_response(answer)
            found: dict[str, Any] = answer.json()
            return found

        repeated: Callable[[], dict[str, Any]] = self.patience.options["retry"](once)
        return repeated()

    def service_url(self, service: str, path: str) -> str:
        """Return an address of a service that only `towerlab doctor` asks."""
        host = self._endpoints.services or f"https://{API_NAMES[service]}"
        return f"{host}/{path}"


def _passes(error: BaseException) -> bool:
    """Whether an error goes away by itself; gRPC calls a login that has expired unavailable."""
    return isinstance(error, _PASSING) and not is_login(error)
