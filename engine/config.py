"""Settings: `config.toml` of a workspace as one validated object. Nothing is read at import."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class Settings(_Section):
    """All settings of a workspace."""

    workspace: WorkspaceSettings = WorkspaceSettings()
    worker: WorkerSettings = WorkerSettings()
    local: LocalSettings = LocalSettings()


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
    }
    key, reason = explain(error.errors(), written, Settings, sections)[0]
    place = f"{path}:{line_of(key, key_lines(text))}"
    end = "" if reason.endswith(("?", ".")) else "."
    return InvalidInput(
        f"{place}: {key_text(key)}: {reason}{end}",
        hint="config.example.toml documents every key.",
    )
