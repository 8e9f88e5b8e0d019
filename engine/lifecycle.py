"""The state machine of an experiment, and what a look at its run says about stage and progress.

    submitting ──► running ──► completed | failed | cancelled
        └──────────────────────────────► failed | cancelled
    running ◄──► lost (remote runs only)

Terminal states absorb. Cancel and delete are intents beside the status.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from engine.backends.base import RunStatus
from engine.spec.run_folder import ComponentName, ComponentState, Progress
from engine.states import Status

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    "submitting": frozenset({"submitting", "running", "failed", "cancelled"}),
    "running": frozenset({"running", "lost", "completed", "failed", "cancelled"}),
    "lost": frozenset({"lost", "running", "completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""From each status to the ones that may follow; a status that follows itself may be updated."""

QUEUED = "Queued"
STARTING = "Starting"
WAITING = "Waiting"
"""The backend cannot start anything right now; the error says why."""
CANCELLING = "Cancelling"

_SHARES: Mapping[ComponentName, float] = {
    "Examples": 0.15,
    "Stats": 0.05,
    "Schema": 0.02,
    "Transform": 0.13,
    "Train": 0.65,
}
"""How much of the bar each component fills unless it is cached, from the times of typical runs."""

_TRAIN_PHASES: Mapping[Literal["loading", "training", "evaluating", "exporting"], float] = {
    "loading": 0.0,
    "training": 0.05,
    "evaluating": 0.85,
    "exporting": 0.95,
}
"""Where each phase of the Trainer starts, as a share of the Trainer."""

TRAINING_SHARES = (_TRAIN_PHASES["training"], _TRAIN_PHASES["evaluating"])
"""Between which shares of Train its steps are counted."""


def sources(target: Status) -> frozenset[Status]:
    """Return the statuses that may turn into `target`."""
    return frozenset(status for status, following in TRANSITIONS.items() if target in following)


def path(start: Status, target: Status) -> tuple[Status, ...]:
    """Return the legal steps from one status to another; a fast run is never seen running."""
    if target in TRANSITIONS[start]:
        return (target,)
    if "running" in TRANSITIONS[start] and target in TRANSITIONS["running"]:
        return ("running", target)
    return ()


def stage(run: RunStatus) -> str:
    """Return what a run is doing, in words: "Transform", "Train, epoch 2 of 3"."""
    if run.step is not None:
        return run.step
    current = next((c.name for c in run.components if c.status == "running"), None)
    if current is None:
        pending = next((c.name for c in run.components if c.status == "pending"), None)
        begun = any(c.status != "pending" for c in run.components)
        return pending if pending and begun else STARTING
    if current != "Train" or run.progress is None:
        return current
    if run.progress.phase == "training" and run.progress.epoch:
        return f"Train, epoch {run.progress.epoch} of {run.progress.epochs}"
    return f"Train, {run.progress.phase}"


def last_stage(status: Status, seen: str | None, component: ComponentName | None) -> str | None:
    """Return the stage of an experiment that has ended: where it failed; otherwise None.

    Args:
        status: how it ended.
        seen: the stage that it was last seen in.
        component: that was at work at the end.
    """
    if status != "failed":
        return None
    return component if seen in (None, CANCELLING, WAITING) else seen


def progress(run: RunStatus) -> float:
    """Return the share of a run that is done, 0 to 1."""
    if run.phase == "completed":
        return 1.0
    return round(_share_done(run.components, run.progress), 4)


def share_of_train(progress: float, cached: Collection[str]) -> float:
    """Return the share of Train that is done, 0 before Train.

    Args:
        progress: of the run.
        cached: the components that had nothing to do.
    """
    train = _SHARES["Train"] / _all_shares(cached)
    return min(max((progress - (1 - train)) / train, 0.0), 1.0)


def _share_done(components: Sequence[ComponentState], train: Progress | None) -> float:
    done = 0.0
    for component in components:
        if component.cached:
            continue
        if component.status == "completed":
            done += _SHARES[component.name]
        elif component.name == "Train" and component.status == "running" and train is not None:
            done += _SHARES["Train"] * _train_share(train)
    return min(done / _all_shares([c.name for c in components if c.cached]), 1.0)


def _all_shares(cached: Collection[str]) -> float:
    """Return what the whole bar stands for: cached components fill nothing of it."""
    return sum(share for name, share in _SHARES.items() if name not in cached) or 1.0


def _train_share(train: Progress) -> float:
    start = _TRAIN_PHASES[train.phase]
    if train.phase != "training" or train.steps <= 0:
        return start
    span = _TRAIN_PHASES["evaluating"] - start
    return start + span * min(max(train.step / train.steps, 0.0), 1.0)
