"""The settings and definition files of a workspace, and how new definitions are added to them."""

import json
import os
import shutil
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import cast

from engine.config import WorkspaceSettings
from engine.definitions.models import (
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    ModelConfigDefinition,
)
from engine.definitions.writing import definition_toml
from engine.errors import InvalidInput
from engine.scaffold.inspection import numbered
from engine.workspace import CONFIG, Workspace

_CONFIG = """\
# Settings of this Towerlab workspace; config.example.toml documents every key.

[workspace]
name = {name}
"""
_KINDS: dict[type[Definition], str] = {
    DatasetDefinition: "datasets",
    FeatureConfigDefinition: "features",
    ModelConfigDefinition: "models",
}
_HEADERS = {
    "datasets": "# Datasets: tables, joins, columns, roles and filters.\n",
    "features": "# Feature configs: which columns each tower sees, and how.\n",
    "models": "# Model configs: towers, retrieval settings, optimizer.\n",
}


class WorkspaceFiles:
    """What a folder holds already; only ever adds to it.

    Args:
        root: the workspace, which need not exist.

    Raises:
        InvalidInput: `config.toml` or a definition file is wrong.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.created: list[str] = []
        self.kept: list[str] = []
        settings = WorkspaceSettings()
        if (root / CONFIG).is_file():
            settings = Workspace(root).settings.workspace
        self.folder = root / settings.definitions
        self._tables: dict[tuple[str, str], dict[str, object]] = {}
        for file in sorted(self.folder.glob("*.toml")):
            self._tables.update(_definitions(file))

    def free_dataset_name(self, dataset: DatasetDefinition) -> str:
        """Return the dataset's name, numbered where it belongs to a dataset of other tables."""

        def free(name: str) -> bool:
            table = self._tables.get(("datasets", name), {})
            return table.get("tables", dataset.tables) == dataset.tables

        return next(name for name in numbered(dataset.name) if free(name))

    def free_feature_config_name(self, name: str, dataset: str) -> str:
        """Return the name, with the dataset's in front where it belongs to another dataset."""

        def free(candidate: str) -> bool:
            return self._tables.get(("features", candidate), {}).get("dataset", dataset) == dataset

        return next(n for n in chain([name], numbered(f"{dataset}-{name}")) if free(n))

    def add_settings(self, name: str) -> None:
        """Write `config.toml` unless there is one.

        Raises:
            InvalidInput: the folder can't be written.
        """
        if (self.root / CONFIG).is_file():
            self.kept.append(CONFIG)
            return
        _write(self.root / CONFIG, _CONFIG.format(name=json.dumps(name, ensure_ascii=False)))
        self.created.append(CONFIG)

    def add(self, definitions: Iterable[Definition]) -> None:
        """Append definitions of one kind to the file of that kind, except those that exist.

        Raises:
            InvalidInput: the file can't be written.
        """
        texts: list[str] = []
        file = self.folder
        for definition in definitions:
            kind = _KINDS[type(definition)]
            file = self.folder / f"{kind}.toml"
            label = f"{os.path.relpath(file, self.root)}: {definition.name}"
            if (kind, definition.name) in self._tables:
                self.kept.append(label)
                continue
            self.created.append(label)
            texts.append(definition_toml(definition))
        if texts:
            before = file.read_text(encoding="utf-8") if file.exists() else _HEADERS[file.stem]
            _write(file, "\n".join([before.rstrip("\n") + "\n", *texts]))


def _definitions(file: Path) -> dict[tuple[str, str], dict[str, object]]:
    """Return (kind, name) to the table of every definition of a file."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{file} can't be read: {error}.", hint="Mend it first, so that nothing is lost."
        ) from error
    found: dict[tuple[str, str], dict[str, object]] = {}
    for kind, tables in document.items():
        if isinstance(tables, dict):
            named = cast("dict[str, object]", tables)
            for name, table in named.items():
                found[kind, name] = cast(
                    "dict[str, object]", table if isinstance(table, dict) else {}
                )
    return found


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all, and keep the permissions of one that was there."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        if file.exists():
            shutil.copymode(file, new)
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise InvalidInput(f"{file} can't be written: {error.strerror}.") from error
