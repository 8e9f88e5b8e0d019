"""A server for `CreatePipelineJob` over TLS, and the environment in which clients trust it."""

import datetime
import ipaddress
import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineJob

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
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = _certificate(key)
    credentials = grpc.ssl_server_credentials([(pem, certificate)])
    service.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield service, _environment(folder, pem, certificate)
    finally:
        server.stop(0).wait()


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "towerlab test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def _environment(folder: Path, pem: bytes, certificate: bytes) -> dict[str, str]:
    """Write a service account whose tokens are signed here, without a call to Google."""
    roots, account = folder / "roots.pem", folder / "account.json"
    roots.write_bytes(certificate)
    account.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "shop",
                "client_email": "runner@shop.iam.gserviceaccount.com",
                "private_key": pem.decode(),
                "private_key_id": "1",
                "token_uri": "https://127.0.0.1:1/token",
            }
        )
    )
    return {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots),
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "NO_GCE_CHECK": "true",
    }
