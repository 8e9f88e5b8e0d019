"""Google Cloud on this machine: all servers, and how clients find and trust them."""

import functools
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.config import CloudSettings, EndpointSettings
from tests.cloud import gcs_server
from tests.cloud.bigquery_server import BigQuery
from tests.cloud.certificates import Identity, make_identity
from tests.cloud.servers import grpc_server, http_server
from tests.cloud.servers.builds import CloudBuild
from tests.cloud.servers.dataflow import Dataflow
from tests.cloud.servers.logs import Logging
from tests.cloud.servers.metadata import Metadata
from tests.cloud.servers.pipelines import PipelineService
from tests.cloud.servers.project import Project
from tests.cloud.servers.standin_builds import StandinBuilds
from tests.cloud.servers.standin_runs import StandinRuns

PROJECT, NUMBER = "shop-test", "123456789012"
REGION, DATAFLOW_REGION = "europe-central2", "europe-west1"
BUCKET = "shop-test-towerlab"


@dataclass
class Cloud:
    """The servers of one project.

    Attributes:
        settings: `[cloud]` of a workspace that runs there.
        environment: in which other processes reach and trust the servers.
    """

    pipelines: PipelineService
    metadata: Metadata
    builds: CloudBuild
    logging: Logging
    dataflow: Dataflow
    project: Project
    bucket: gcs_server.Bucket
    bigquery: BigQuery
    settings: CloudSettings
    environment: dict[str, str]

    def clear_faults(self) -> None:
        """Let every server answer as it should."""
        grpc = (self.pipelines, self.metadata, self.builds, self.logging)
        for faulty in (*grpc, self.dataflow, self.bucket, self.bigquery):
            faulty.faults.clear()
        self.project.forget()
        self.bucket.denied.clear()


@functools.cache
def identity() -> Identity:
    """Return the servers' identity: one a process, since gRPC reads its roots once a process."""
    return make_identity(("*.googleapis.com",))


@contextmanager
def serve(folder: Path) -> Generator[Cloud]:
    """Serve a project whose builds and jobs are stand-ins; the folder is for credentials."""
    pipelines = PipelineService(PROJECT, NUMBER, REGION)
    metadata = Metadata(PROJECT, NUMBER, REGION)
    builds = CloudBuild(PROJECT, NUMBER, REGION)
    logging, dataflow = Logging(PROJECT), Dataflow(PROJECT, DATAFLOW_REGION)
    project = Project(PROJECT, NUMBER, DATAFLOW_REGION)
    bigquery = BigQuery(PROJECT, {})
    grpc = (pipelines, metadata, builds, logging)
    services = [service for server in grpc for service in server.services()]
    with ExitStack() as stack:
        port = stack.enter_context(grpc_server.serve(services, identity()))
        bucket = stack.enter_context(gcs_server.serve(folder, BUCKET, identity()))
        dataflow_url = stack.enter_context(http_server.serve(dataflow))
        project_url = stack.enter_context(http_server.serve(project))
        bigquery_url = stack.enter_context(http_server.serve(bigquery))
        host = f"127.0.0.1:{port}"
        endpoints = EndpointSettings(
            vertex=host,
            build=host,
            logging=host,
            storage=bucket.url,
            dataflow=dataflow_url,
            services=project_url,
            bigquery=bigquery_url,
        )
        settings = CloudSettings(
            project=PROJECT,
            region=REGION,
            dataflow_region=DATAFLOW_REGION,
            bucket=f"gs://{BUCKET}/towerlab",
            temp_bucket=f"gs://{BUCKET}/temp",
            image="europe-docker.pkg.dev/shop-test/towerlab/towerlab:1",
            service_account="runner@shop-test.iam.gserviceaccount.com",
            labels={"team": "search"},
            endpoints=endpoints,
        )
        roots = bucket.environment["REQUESTS_CA_BUNDLE"]
        environment = {**bucket.environment, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": roots}
        builds.run = StandinBuilds(pipelines, bucket).run
        StandinRuns(pipelines, metadata, logging, dataflow, bucket)
        servers = (pipelines, metadata, builds, logging, dataflow, project, bucket, bigquery)
        yield Cloud(*servers, settings, environment)


def as_toml(settings: CloudSettings) -> str:
    """Return settings as the tables of a config.toml."""
    import tomlkit

    return tomlkit.dumps({"cloud": settings.model_dump()})
