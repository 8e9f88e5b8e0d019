"""What the engine and the compile step agree on for Google Cloud: names, places and arguments.

    ROOT/                      gs://BUCKET or gs://BUCKET/FOLDER, one a workspace
      runs/<uid>/              as a local run folder: spec.json, training_metrics.json, …
        spec.json              the ExperimentSpec, written by the engine before it submits
        rows/<split>/*.parquet uploaded examples, where the dataset isn't in BigQuery
      cache/                   pipeline root: <project number>/<job id>/<task>_<id>/<output>

The compile step gets all of its input as arguments, in a child process and in Cloud Build alike.
"""

import re

from engine.spec.base import Frozen
from engine.spec.experiment import ExperimentSpec
from engine.spec.run_folder import SPEC

JOB_LABEL = "towerlab-job"
"""Label of the Dataflow jobs: its value is the id of the pipeline job that started them."""
WORKSPACE_LABEL = "towerlab-workspace"
"""Label of all jobs: its value stands for the root that the workspace's artifacts are below."""
OWNER_LABEL = "towerlab-owner"
"""Label of all jobs: its value is the id of the workspace whose experiment they are for."""
EXPERIMENT_LABEL = "towerlab-experiment"
"""Label of a pipeline job: its value is the experiment's uid."""


class CloudTarget(Frozen):
    """Where on Google Cloud an experiment runs; nothing here has a default but what may be absent.

    Attributes:
        project: id of the project.
        region: of Vertex AI Pipelines.
        dataflow_region: of the Beam components' workers.
        root: gs:// prefix of the workspace's artifacts, without a slash at the end.
        temp_root: gs:// prefix of Dataflow's temporary files, without a slash at the end.
        image: container image with this package and its dependencies.
        service_account: e-mail of the account that pipelines and workers run as; None takes the
            project's default.
        network: full name of the VPC network that Vertex AI peers with; None for none.
        subnetwork: URL of the workers' subnetwork; None takes the default network.
        labels: of every job.
        endpoint: host and port of Vertex AI's API; None takes the region's public one.
    """

    project: str
    region: str
    dataflow_region: str
    root: str
    temp_root: str
    image: str
    service_account: str | None = None
    network: str | None = None
    subnetwork: str | None = None
    labels: dict[str, str] = {}
    endpoint: str | None = None

    def run_uri(self, uid: str) -> str:
        """Return the run folder of an experiment, without a slash at the end."""
        return f"{self.root}/runs/{uid}"

    def spec_uri(self, uid: str) -> str:
        """Return where the engine puts the spec for the compile step."""
        return f"{self.run_uri(uid)}/{SPEC}"

    def rows_uri(self, uid: str) -> str:
        """Return the prefix of the uploaded examples; each split has a folder below it."""
        return f"{self.run_uri(uid)}/rows"

    @property
    def pipeline_root(self) -> str:
        """The prefix of what components write and Vertex AI caches."""
        return f"{self.root}/cache"

    @property
    def parent(self) -> str:
        """The resource name that pipeline jobs are created under."""
        return f"projects/{self.project}/locations/{self.region}"


def job_id(uid: str, attempt: int) -> str:
    """Return the id of an attempt's pipeline job: ours, so that there can be one only."""
    return f"qt-{uid}-a{attempt}"


def uid_of(job: str) -> str | None:
    """Return the experiment that a pipeline job's id is of; None where it is none of ours."""
    found = re.fullmatch(r"qt-(.+)-a[0-9]+", job)
    return found[1] if found else None


def compile_options(target: CloudTarget, spec: ExperimentSpec, spec_uri: str) -> dict[str, str]:
    """Return the compile step's options by name, all of them; an absent value is empty.

    Args:
        target: where the job will run.
        spec: the experiment, for its workers' machine type.
        spec_uri: where the compile step reads the spec: a path or a gs:// URI.
    """
    return {
        "spec": spec_uri,
        "machine-type": spec.params.machine_type or "",
        "project": target.project,
        "region": target.region,
        "dataflow-region": target.dataflow_region,
        "root": target.root,
        "temp-root": target.temp_root,
        "image": target.image,
        "service-account": target.service_account or "",
        "network": target.network or "",
        "subnetwork": target.subnetwork or "",
        "labels": ",".join(f"{key}={value}" for key, value in sorted(target.labels.items())),
        "endpoint": target.endpoint or "",
    }


def compile_arguments(options: dict[str, str]) -> list[str]:
    """Return the options as arguments of `python -m pipelines.compile`."""
    return [f"--{name}={value}" for name, value in options.items()]


def build_substitutions(options: dict[str, str]) -> dict[str, str]:
    """Return the options as substitutions of `cloudbuild.yaml`."""
    return {f"_{name.upper().replace('-', '_')}": value for name, value in options.items()}
