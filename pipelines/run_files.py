"""What a run writes into its run folder while it goes: states of the components, and copies."""

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from engine.spec import ExperimentSpec
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    COMPONENTS,
    SPEC,
    ComponentName,
    ComponentState,
)

_STATES = TypeAdapter(tuple[ComponentState, ...])


def read_spec(folder: Path) -> ExperimentSpec:
    """Read the run folder's `spec.json`."""
    return ExperimentSpec.model_validate_json((folder / SPEC).read_bytes())


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a reader sees the old content or the new one, never a part."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(data)
    draft.replace(path)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder's files; the target appears as a whole, and replaces what was there."""
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(draft, target)


class ComponentBoard:
    """`components.json`: the state of all five components, written anew at each change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / COMPONENTS
        self._states = {name: ComponentState(name=name) for name in COMPONENT_NAMES}
        self._write()

    def start(self, name: ComponentName) -> None:
        """Note that a component starts now."""
        self._change(name, status="running", started_at=datetime.now(UTC))

    def complete(
        self, name: ComponentName, *, cached: bool, outputs: Mapping[str, Sequence[str]]
    ) -> None:
        """Note that a component has its outputs, computed or from the cache."""
        self._change(
            name,
            status="completed",
            ended_at=datetime.now(UTC),
            cached=cached,
            outputs={key: tuple(paths) for key, paths in outputs.items()},
        )

    def fail(self, name: ComponentName, status: Literal["failed", "cancelled"] = "failed") -> None:
        """Note that a component ended without outputs."""
        self._change(name, status=status, ended_at=datetime.now(UTC))

    def duration_seconds(self, name: ComponentName) -> float:
        """How long a component took, 0 while it runs."""
        state = self._states[name]
        if state.started_at is None or state.ended_at is None:
            return 0.0
        return (state.ended_at - state.started_at).total_seconds()

    def _change(self, name: ComponentName, **changes: object) -> None:
        self._states[name] = self._states[name].replace(**changes)
        self._write()

    def _write(self) -> None:
        replace_file(self._path, _STATES.dump_json(tuple(self._states.values())))
