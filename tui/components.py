"""Facts of a pipeline's components as the screens show them: who reads whom, status, time."""

from datetime import UTC, datetime
from typing import Final

from engine.formats import duration
from engine.lifecycle import share_of_train
from engine.snapshots import ComponentView, ExperimentDetail
from engine.spec.run_folder import ComponentName

READS: Final[tuple[tuple[ComponentName, ComponentName], ...]] = (
    ("Examples", "Stats"),
    ("Stats", "Schema"),
    ("Schema", "Transform"),
    ("Examples", "Transform"),
    ("Transform", "Train"),
    ("Examples", "Train"),
)
"""The edges of the pipeline, from a component to one that reads its output."""


def utc_now() -> datetime:
    """Return the moment."""
    return datetime.now(UTC)


def shown_status(component: ComponentView, seen: ExperimentDetail) -> str:
    """Return the component's status or "cached"; what runs in an ended experiment ended with it."""
    if component.cached:
        return "cached"
    if component.status == "running" and seen.ended:
        return seen.status
    return component.status


def time_span(
    component: ComponentView, seen: ExperimentDetail, now: datetime
) -> tuple[datetime, datetime] | None:
    """Return start and end (so far) of a component, or None where they aren't known.

    Clocks may differ between machines: an end is never before its start.
    """
    start, end = component.started_at, component.ended_at
    if end is None and component.status == "running":
        end = seen.ended_at if seen.ended else now
    if start is None or end is None:
        return None
    return start, max(start, end)


def time_label(component: ComponentView, seen: ExperimentDetail, now: datetime) -> str:
    """Return "0:26", "0:26 · 41%" for a Trainer at work, "cached", or "" for what hasn't begun."""
    if component.cached:
        return "cached"
    span = time_span(component, seen, now)
    took = duration((span[1] - span[0]).total_seconds()) if span else ""
    if component.name != "Train" or shown_status(component, seen) != "running":
        return took
    if not took or seen.progress is None:
        return took
    cached = [other.name for other in seen.components if other.cached]
    return f"{took} · {share_of_train(seen.progress, cached):.0%}"
