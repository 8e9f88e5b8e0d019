"""How a run ended, and what its components leave behind."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from engine.backends.base import RunStatus
from engine.spec.run_folder import TRAINING_METRICS, ComponentName, ComponentState, RunError
from engine.store.models import ComponentRow

_CACHE_DEPTH = 3
"""TFX writes an output to `<component>/<output>/<execution>`; that folder is kept or removed."""
_CLOUD = "gs://"
GONE = "Its pipeline job isn't there any more: somebody has deleted it."


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on a run; no component is still running."""

    status: Literal["completed", "failed", "cancelled"]
    components: tuple[ComponentState, ...]
    error: RunError | None = None


def of(run: RunStatus, number: int) -> Outcome:
    """Return what the backend says about a run that has ended."""
    if run.phase == "completed":
        return Outcome("completed", run.components)
    if run.phase == "cancelled":
        return cancelled(run)
    error = run.error or RunError(
        message="The run failed and left no reason.", hint=f"Run `towerlab logs {number}`."
    )
    if error.component is None:
        error = error.replace(component=_at_work(run))
    return Outcome("failed", _stopped(run, "failed"), error)


def without_results(run: RunStatus, flaw: str | None) -> Outcome:
    """Return the outcome of a run that ended well, but without metrics that can be believed.

    Args:
        run: as it ended.
        flaw: why they can't be, as a sentence; None where there are none.
    """
    error = RunError(
        component="Train",
        message=flaw or f"The run ended, but its {TRAINING_METRICS} is missing or too large.",
        hint="Was something in its folder removed or changed? Run it again.",
    )
    return Outcome("failed", run.components, error)


def cancelled(run: RunStatus) -> Outcome:
    """Return the outcome of a run that ended because somebody asked for it."""
    return Outcome("cancelled", _stopped(run, "cancelled"))


def interrupted(run: RunStatus, number: int, *, remote: bool) -> Outcome:
    """Return the outcome of a run of which nothing is left, and which left no verdict."""
    error = RunError(
        component=_at_work(run),
        message=GONE
        if remote
        else "The run was interrupted: its processes ended without a verdict.",
        hint=f"Run `towerlab rerun {number}`; what was finished is not computed again.",
    )
    return Outcome("failed", _stopped(run, "failed"), error)


def rows(number: int, components: Sequence[ComponentState]) -> list[ComponentRow]:
    """Return the components of an experiment as rows."""
    return [
        ComponentRow(
            experiment_number=number,
            position=position,
            name=component.name,
            status=component.status,
            cached=component.cached,
            started_at=component.started_at,
            ended_at=component.ended_at,
        )
        for position, component in enumerate(components)
    ]


def cache_folders(components: Sequence[ComponentState], cache: Path) -> set[str]:
    """Return the folders of the cache, relative to it, that the components' outputs are in.

    Of outputs in Cloud Storage they are prefixes that end in `/`.
    """
    outputs = (p for c in components for paths in c.outputs.values() for p in paths)
    folders: set[str] = set()
    for output in outputs:
        if output.startswith(_CLOUD):
            folders.add(f"{output.rpartition('/')[0]}/")
            continue
        # Compared as text: a run names its outputs by the path that it was given.
        path = PurePath(os.path.normpath(output))
        if path.is_relative_to(cache):
            parts = path.relative_to(cache).parts
            if len(parts) >= _CACHE_DEPTH:
                folders.add("/".join(parts[:_CACHE_DEPTH]))
    return folders


def _at_work(run: RunStatus) -> ComponentName | None:
    return next((c.name for c in run.components if c.status in ("running", "failed")), None)


def _stopped(run: RunStatus, status: Literal["failed", "cancelled"]) -> tuple[ComponentState, ...]:
    return tuple(
        c.replace(status=status, ended_at=c.ended_at or run.ended_at)
        if c.status == "running"
        else c
        for c in run.components
    )
