"""A server for `CreatePipelineJob` over TLS, and the environment in which clients trust it."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineJob

from tests.cloud.certificates import Identity, make_identity, write_service_account

_SERVICE = "google.cloud.aiplatform.v1.PipelineService"


@dataclass
class PipelineService:
    """Takes each job id once.

    Attributes:
        jobs: by resource name.
        calls: how often a job was asked for.
        losses: how many answers get lost after the job was made.
        refusal: what every call is answered instead.
    """

    jobs: dict[str, PipelineJob] = field(default_factory=dict)
    calls: int = 0
    losses: int = 0
    refusal: grpc.StatusCode | None = None
    port: int = 0

    def create(
        self, request: CreatePipelineJobRequest, context: grpc.ServicerContext
    ) -> PipelineJob:
        """Make a job, as Vertex AI does."""
        self.calls += 1
        if self.refusal is not None:
            context.abort(self.refusal, "refused by the test")
        name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
        if name in self.jobs:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
        self.jobs[name] = request.pipeline_job
        if self.losses:
            self.losses -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer got lost")
        request.pipeline_job.name = name
        return request.pipeline_job


@contextmanager
def serve(folder: Path) -> Generator[tuple[PipelineService, dict[str, str]]]:
    """Serve on a free port of this machine; yield the service and the clients' environment."""
    service = PipelineService()
    handler = grpc.unary_unary_rpc_method_handler(
        service.create,
        request_deserializer=CreatePipelineJobRequest.deserialize,
        response_serializer=PipelineJob.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"CreatePipelineJob": handler}),)
    )
    identity = make_identity()
    credentials = grpc.ssl_server_credentials([identity])
    service.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield service, _environment(folder, identity)
    finally:
        server.stop(0).wait()


def _environment(folder: Path, identity: Identity) -> dict[str, str]:
    """Trust the server; the client signs its tokens itself, without a call to Google."""
    roots, account = folder / "roots.pem", folder / "account.json"
    roots.write_bytes(identity.certificate)
    write_service_account(account, identity, "https://127.0.0.1:1/token")
    return {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots),
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "NO_GCE_CHECK": "true",
    }
