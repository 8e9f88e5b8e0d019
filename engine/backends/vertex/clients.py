"""Google's clients: made here alone, when one is first needed, and shared by all threads."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.transport.requests import AuthorizedSession
from google.cloud.aiplatform_v1 import MetadataServiceClient, PipelineServiceClient
from google.cloud.aiplatform_v1.services.metadata_service.transports import (
    MetadataServiceGrpcTransport,
)
from google.cloud.aiplatform_v1.services.pipeline_service.transports import (
    PipelineServiceGrpcTransport,
)
from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
from google.cloud.devtools.cloudbuild_v1.services.cloud_build.transports import (
    CloudBuildGrpcTransport,
)
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcTransport,
)
from google.cloud.storage import Client as StorageClient
from grpc import Channel
from requests import ConnectionError as NoConnection
from requests import Timeout

from engine.backends.vertex.login import Login
from engine.backends.vertex.problems import API_NAMES, is_login
from engine.config import EndpointSettings
from engine.spec.cloud import CloudTarget

if TYPE_CHECKING:
    from engine.bigquery.warehouse import Warehouse

logging.getLogger("grpc._plugin_wrapping").setLevel(logging.CRITICAL)
"""What it logs, a login that has expired, is raised as well."""
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
        silence: after which a connection that waits for an answer is asked for a sign of life. A
            machine that was asleep believes in connections that are gone.
    """

    call: float = 20.0
    retries: float = 45.0
    pause: float = 0.5
    round: float = 60.0
    silence: float = 30.0

    @property
    def options(self) -> dict[str, Any]:
        """`timeout` and `retry` of a call that may be repeated, with jitter between."""
        return {"timeout": self.call, "retry": self.retry()}

    def retry(self, on_error: Callable[[Exception], None] | None = None) -> Retry:
        """Return how a call is repeated; `on_error` is called before each repetition."""
        return Retry(
            predicate=_passes,
            initial=self.pause,
            maximum=8.0,
            multiplier=2.0,
            timeout=self.retries,
            on_error=on_error,
        )

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
                credentials=self.credentials,
                client_options=ClientOptions(api_endpoint=endpoint),
                transport=self._lively(PipelineServiceGrpcTransport),
            )

    @cached_property
    def metadata(self) -> MetadataServiceClient:
        """Vertex ML Metadata, beside the pipelines."""
        endpoint = self.target.endpoint or f"{self.target.region}-aiplatform.googleapis.com"
        with self._lock:
            return MetadataServiceClient(
                credentials=self.credentials,
                client_options=ClientOptions(api_endpoint=endpoint),
                transport=self._lively(MetadataServiceGrpcTransport),
            )

    @cached_property
    def builds(self) -> CloudBuildClient:
        """Cloud Build."""
        endpoint = self._endpoints.build or None
        with self._lock:
            return CloudBuildClient(
                credentials=self.credentials,
                client_options=ClientOptions(api_endpoint=endpoint),
                transport=self._lively(CloudBuildGrpcTransport),
            )

    @cached_property
    def logging(self) -> LoggingServiceV2Client:
        """Cloud Logging."""
        endpoint = self._endpoints.logging or None
        with self._lock:
            return LoggingServiceV2Client(
                credentials=self.credentials,
                client_options=ClientOptions(api_endpoint=endpoint),
                transport=self._lively(LoggingServiceV2GrpcTransport),
            )

    def _lively(self, transport: Any) -> Callable[..., Any]:  # noqa: ANN401 - they have no common type
        """Return what makes a transport whose connection is given up once it is dead."""
        patience = self.patience

        def channel(host: str, *, options: Sequence[tuple[str, int]], **others: object) -> Channel:
            answer_ms = int(patience.call * 500)
            lively = [
                ("grpc.keepalive_time_ms", int(patience.silence * 1000)),
                ("grpc.keepalive_timeout_ms", answer_ms),
                ("grpc.http2.ping_timeout_ms", answer_ms),
            ]
            return transport.create_channel(host, options=[*options, *lively], **others)

        return partial(transport, channel=channel)

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

        repeated: Callable[[], dict[str, Any]] = self.patience.retry()(once)
        return repeated()

    def service_url(self, service: str, path: str) -> str:
        """Return an address of a service that only `towerlab doctor` asks."""
        host = self._endpoints.services or f"https://{API_NAMES[service]}"
        return f"{host}/{path}"


def _passes(error: BaseException) -> bool:
    """Whether an error goes away by itself; gRPC calls a login that has expired unavailable."""
    return isinstance(error, _PASSING) and not is_login(error)
