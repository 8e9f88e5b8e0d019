"""What `logs --follow` does: print the lines that are new, until the experiment has ended.

On this machine the files are read twice a second. The log of a run on Google Cloud is asked for as
often as the worker asks for it anew, and only that of components that may have written since.
"""

import time
from collections.abc import Callable, Mapping
from operator import attrgetter

from engine.api import Engine
from engine.errors import EnvironmentNotReady
from engine.logs import component_named
from engine.snapshots import ExperimentDetail, LogLine
from engine.spec.run_folder import COMPONENT_NAMES, ComponentName

_LOOK_SECONDS = 0.5
"""How often the database is asked for the experiment's state."""
_READ_SECONDS: Mapping[str, float] = {"local": 0.5, "vertex": 10.0}
"""How often logs are read, by the backend: answers of Cloud Logging are kept for ten seconds."""
_FOLLOWED = 1_000
"""Lines that are looked at each time; more than a component writes meanwhile."""
_REMOTE_LINES = 50
"""Lines of a component that the worker fetches from Cloud Logging."""


class Follower:
    """Follows the log of an experiment.

    Args:
        engine: is asked.
        number: of the experiment.
        component: as people or TFX call it; all when None.
        limit: how many of the lines that are there already are shown.
        show: prints a line.
        remark: prints a sentence that is no line.
        clock: seconds that only grow.

    Raises:
        NotFound: there is no such component.
    """

    def __init__(
        self,
        engine: Engine,
        number: int,
        component: str | None,
        limit: int,
        *,
        show: Callable[[LogLine], None],
        remark: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._number = number
        self._chosen = COMPONENT_NAMES if component is None else (component_named(component),)
        self._limit = limit
        self._show = show
        self._remark = remark
        self._clock = clock
        self._printed: set[LogLine] = set()
        self._read_as: dict[ComponentName, str] = {}
        self._read_at = float("-inf")
        self._begun = False
        self._trouble = ""

    def follow(self, *, look_seconds: float = _LOOK_SECONDS) -> None:
        """Print until the experiment has ended.

        Raises:
            NotFound: there is no such experiment (any more).
        """
        while not self.look():
            time.sleep(look_seconds)

    def look(self) -> bool:
        """Print what is new, where it is time to look; return whether the experiment has ended."""
        seen = self._engine.get(self._number)
        waited = self._clock() - self._read_at
        if not seen.ended and waited < _READ_SECONDS[seen.backend]:
            return False
        due = self._due(seen)
        if due:
            self._read(seen, due)
            self._read_at = self._clock()
        return seen.ended

    def _due(self, seen: ExperimentDetail) -> list[ComponentName]:
        """Return the components that may have written since they were read; at the end all."""
        if seen.ended or seen.backend == "local":
            return list(self._chosen)
        return [
            name
            for name in self._chosen
            if (status := _status(seen, name)) == "running"
            or (status != "pending" and self._read_as.get(name) != status)
        ]

    def _read(self, seen: ExperimentDetail, due: list[ComponentName]) -> None:
        found: list[LogLine] = []
        for name in due:
            try:
                lines = self._engine.logs(self._number, name, limit=max(_FOLLOWED, self._limit))
            except EnvironmentNotReady as error:
                if seen.ended:
                    raise
                self._tell(error)
                break
            self._read_as[name] = _status(seen, name)
            new = [line for line in reversed(lines) if line not in self._printed]
            if self._begun and seen.backend != "local" and len(new) == _REMOTE_LINES:
                self._remark(f"{name} wrote more than the {_REMOTE_LINES} lines that are fetched.")
            found += new
        found.sort(key=attrgetter("timestamp"))
        for line in found if self._begun else found[-self._limit :]:
            self._show(line)
        self._printed.update(found)
        self._begun = self._begun or bool(found)

    def _tell(self, error: EnvironmentNotReady) -> None:
        """Say why nothing comes, once; it may come later."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._remark(self._trouble)


def _status(seen: ExperimentDetail, name: ComponentName) -> str:
    return next((c.status for c in seen.components if c.name == name), "pending")
