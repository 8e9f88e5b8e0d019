"""How the warm runner is asked for a run: a line of JSON in a named pipe of the state folder.

The pipe has a reader exactly while a warm runner lives. A request may be lost with it: whoever
asks looks for the run's `supervisor.json`, and starts the run in another way when it doesn't come.
"""

from pydantic import Field

from engine.spec.base import Frozen

WARM_REQUESTS = "warm.requests"
WARM_LOCK = "warm.lock"
"""flock held by the warm runner for as long as it lives."""
WARM_LOG = "warm.log"
RUNS = "runs"


class WarmRequest(Frozen):
    """A run that is wanted: its uid (also its folder's name) and the module whose `main` it is."""

    run: str = Field(pattern=r"^[0-9a-f]{12,32}$")
    module: str
