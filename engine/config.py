"""Settings: `config.toml` of a workspace as one validated object. Nothing is read at import."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engine.errors import InvalidInput


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WorkspaceSettings(_Section):
    """`[workspace]`.

    Attributes:
        name: shown in the header; the folder's name when empty.
        definitions: folder of the definition files, relative to the workspace.
        database: path of the SQLite file, or a SQLAlchemy URL; `.towerlab/towerlab.db` when empty.
        shared: whether the group may read the workspace's files (umask 027 instead of 077).
    """

    name: str = ""
    definitions: str = "definitions"
    database: str = ""
    shared: bool = False


class WorkerSettings(_Section):
    """`[worker]`.

    Attributes:
        poll_seconds: how often remote runs are asked for their state.
        idle_seconds: how long the worker stays when nothing is active.
    """

    poll_seconds: float = Field(default=10, gt=0, le=3600)
    idle_seconds: float = Field(default=60, ge=0, le=86_400)


class LocalSettings(_Section):
    """`[local]`.

    Attributes:
        warm_runner: keep a process that has TensorFlow imported, so that runs start at once.
        warm_idle_minutes: when the warm runner leaves.
        warm_min_free_gb: the warm runner leaves when less memory than this is available.
        run_module: the module whose `main(run_folder: Path) -> None` is a run.
    """

    warm_runner: bool = True
    warm_idle_minutes: float = Field(default=15, gt=0)
    warm_min_free_gb: float = Field(default=2, ge=0)
    run_module: str = "pipelines.run_local"


def _matching(pattern: str, meaning: str) -> AfterValidator:
    """Accept an empty text, and one that a pattern matches as a whole."""

    def check(value: str) -> str:
        if value and not re.fullmatch(pattern, value):
            raise ValueError(f'must be {meaning}, not "{value}"')
        return value

    return AfterValidator(check)


_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{1,63}")

_Project = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", 'the id of a project, as "my-shop-123"')
]
_Region = Annotated[
    str, _matching(r"[a-z]+-[a-z]+[0-9]{1,2}", 'the name of a region, as "europe-west1"')
]
_Bucket = Annotated[
    str,
    _matching(
        r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^/\s#?*\[\]]+)*",
        'a bucket or a folder in one, as "gs://my-bucket/towerlab", without a slash at the end',
    ),
]
_Image = Annotated[
    str,
    _matching(
        r"[^\s/]+(/[^\s/]+)+(:[^\s/:]+|@sha256:[0-9a-f]{64})",
        'an image with its tag, as "europe-docker.pkg.dev/my-shop-123/towerlab/towerlab:1"',
    ),
]
_Account = Annotated[str, _matching(r"[^\s@]+@[^\s@]+", "the e-mail address of a service account")]
_Network = Annotated[
    str,
    _matching(
        r"projects/[0-9]+/global/networks/[^\s/]+",
        'a VPC network as "projects/PROJECT_NUMBER/global/networks/NAME"',
    ),
]
_Subnetwork = Annotated[
    str,
    _matching(
        r"(https://\S+/)?regions/[^\s/]+/subnetworks/[^\s/]+",
        'a subnetwork as "regions/REGION/subnetworks/NAME"',
    ),
]
_Host = Annotated[str, _matching(r"[^\s/:]+:[0-9]{1,5}", 'a host and a port, as "127.0.0.1:8443"')]
_Address = Annotated[str, _matching(r"https?://[^\s/]+", 'an address, as "http://127.0.0.1:8080"')]


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise ValueError(
                f'has "{key}" = "{value}": keys and values are of a-z, 0-9, "_" and "-", at most 63'
                " long, and a key begins with a letter"
            )
        if key.startswith("towerlab"):
            raise ValueError(f'has "{key}": what begins with "towerlab" is set by Towerlab')
    return labels


_Labels = Annotated[dict[str, str], AfterValidator(_check_labels), Field(max_length=32)]


class EndpointSettings(_Section):
    """`[cloud.endpoints]`: where Google's services are, if not where they are for everybody.

    Attributes:
        vertex: host and port of Vertex AI; likewise the next two.
        build: of Cloud Build.
        logging: of Cloud Logging.
        storage: address of Cloud Storage; likewise the next three.
        dataflow: of Dataflow.
        bigquery: of BigQuery.
        services: of the services that only `towerlab doctor` asks: Service Usage, Resource Manager,
            Artifact Registry, IAM and Compute Engine.
    """

    vertex: _Host = ""
    build: _Host = ""
    logging: _Host = ""
    storage: _Address = ""
    dataflow: _Address = ""
    bigquery: _Address = ""
    services: _Address = ""


class CloudSettings(_Section):
    """`[cloud]`: where experiments with the backend `vertex` run; docs/cloud.md sets it up.

    Attributes:
        project: id of the project; no experiment runs in the cloud while it is empty.
        region: of pipelines and builds; that of the data.
        dataflow_region: of the Beam components' workers.
        bucket: where artifacts go, `gs://BUCKET` or `gs://BUCKET/FOLDER`, one a workspace.
        temp_bucket: for Dataflow's temporary files.
        image: container image with this package and its dependencies, with its tag.
        service_account: e-mail of the account that builds, pipelines and workers run as; the
            project's default when empty.
        network: VPC network that Vertex AI peers with; none when empty.
        subnetwork: of Dataflow's workers; the default network when empty.
        labels: of every job.
        compile: where an experiment becomes a pipeline job: in Cloud Build, which needs no
            TensorFlow here, or in a process of this machine.
        max_running: how many experiments may be submitted or running at once.
        endpoints: where Google's services are.
    """

    project: _Project = ""
    region: _Region = "europe-central2"
    dataflow_region: _Region = "europe-west1"
    bucket: _Bucket = ""
    temp_bucket: _Bucket = ""
    image: _Image = ""
    service_account: _Account = ""
    network: _Network = ""
    subnetwork: _Subnetwork = ""
    labels: _Labels = {}
    compile: Literal["cloud-build", "local"] = "cloud-build"
    max_running: int = Field(default=20, gt=0, le=1000)
    endpoints: EndpointSettings = EndpointSettings()

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that must have a value before anything can run in the cloud."""
        needed = ("project", "region", "dataflow_region", "bucket", "temp_bucket", "image")
        return tuple(key for key in needed if not getattr(self, key))


class Settings(_Section):
    """All settings of a workspace."""

    workspace: WorkspaceSettings = WorkspaceSettings()
    worker: WorkerSettings = WorkerSettings()
    local: LocalSettings = LocalSettings()
    cloud: CloudSettings = CloudSettings()


def load_settings(path: Path) -> Settings:
    """Read and validate `config.toml`.

    Raises:
        InvalidInput: the file is missing, isn't TOML, or has an unknown or wrong key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} does not exist.", hint="Run `towerlab init`.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from error
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} isn't valid TOML: {error}.") from error
    try:
        return Settings.model_validate(written)
    except ValidationError as error:
        raise _mistake(path, text, written, error) from error


def _mistake(
    path: Path, text: str, written: dict[str, object], error: ValidationError
) -> InvalidInput:
    """Say the first mistake like one of a definition file: with its line and what was meant."""
    from engine.definitions.names import key_text
    from engine.definitions.positions import key_lines, line_of
    from engine.definitions.wording import explain

    sections: dict[str, type[BaseModel]] = {
        "workspace": WorkspaceSettings,
        "worker": WorkerSettings,
        "local": LocalSettings,
        "cloud": CloudSettings,
        "endpoints": EndpointSettings,
    }
    key, reason = explain(error.errors(), written, Settings, sections)[0]
    place = f"{path}:{line_of(key, key_lines(text))}"
    end = "" if reason.endswith(("?", ".")) else "."
    return InvalidInput(
        f"{place}: {key_text(key)}: {reason}{end}",
        hint="config.example.toml documents every key.",
    )
