"""The words for where an experiment stands and where it runs. The standard library only."""

from typing import Literal

Status = Literal["submitting", "running", "completed", "failed", "cancelled", "lost"]
Intent = Literal["cancelling", "deleting"]
Hardware = Literal["small", "medium", "large"]
BackendName = Literal["local", "vertex"]

STATUSES: tuple[Status, ...] = (
    "submitting",
    "running",
    "completed",
    "failed",
    "cancelled",
    "lost",
)
ACTIVE: frozenset[Status] = frozenset({"submitting", "running", "lost"})
TERMINAL: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})


def intent_of(status: Status, *, cancel: bool, delete: bool) -> Intent | None:
    """Return what is shown instead of the status.

    Args:
        status: of the experiment.
        cancel: whether its end was asked for.
        delete: whether its removal was asked for.
    """
    if delete:
        return "deleting"
    return "cancelling" if cancel and status in ACTIVE else None
