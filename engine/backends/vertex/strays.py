"""Jobs of a workspace that go on although no experiment knows them any more.

They come of a deletion by hand, a database that was restored, or a build that made its job after
everybody had gone. Only what has the label of this workspace's id is looked at: others may keep
their artifacts below the same root.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple

from engine.backends.vertex.builds import Builds, goes_on
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.dataflow import Dataflow
from engine.backends.vertex.jobs import Jobs
from engine.errors import EngineError
from engine.spec.cloud import OWNER_LABEL, uid_of

DEADLINE_SECONDS = 30.0
_OLDEST = timedelta(days=30)
"""Nothing of ours goes on for as long."""
_THREADS = 8

Service = Literal["Vertex AI", "Cloud Build", "Dataflow"]


class Stray(NamedTuple):
    """Something that goes on; `id` is its service's, `uid` that of the experiment it was for."""

    service: Service
    id: str
    uid: str


class Search(NamedTuple):
    """What goes on, and what of it may have been missed, in a sentence a service."""

    found: list[Stray]
    missed: list[str]


class Strays:
    """What goes on of a workspace.

    Args:
        clients: of the target that new experiments run on, with its owner.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._owner = clients.target.labels[OWNER_LABEL]

    def active(self, *, seconds: float = DEADLINE_SECONDS) -> Search:
        """Return what goes on of the workspace, known or not.

        Args:
            seconds: for all services together; what they tell until then counts.
        """
        deadline = time.monotonic() + seconds
        parts = [
            _Part("Vertex AI", self._jobs),
            _Part("Cloud Build", self._builds),
            _Part("Dataflow", self._dataflow),
        ]
        ends = [part.end(deadline, seconds) for part in parts]
        return Search(
            found=[stray for found, _ in ends for stray in found],
            missed=[missed for _, missed in ends if missed],
        )

    def cancel(
        self, strays: Sequence[Stray], *, seconds: float = DEADLINE_SECONDS
    ) -> dict[Stray, str]:
        """Ask for the end of some; what has ended is left alone.

        Args:
            strays: what shall end.
            seconds: to begin to ask; who isn't asked by then is told.

        Returns:
            Those of which it isn't known that they were asked, with the reason.
        """
        ask = partial(self._cancel, time.monotonic() + seconds, seconds)
        with ThreadPoolExecutor(_THREADS) as pool:
            failures = dict(zip(strays, pool.map(ask, strays), strict=True))
        return {stray: reason for stray, reason in failures.items() if reason}

    def _cancel(self, deadline: float, seconds: float, stray: Stray) -> str:
        if time.monotonic() > deadline:
            return f"There was no time for it within {seconds:.0f} s."
        parent = self._clients.target.parent
        try:
            if stray.service == "Vertex AI":
                Jobs(self._clients).cancel(f"{parent}/pipelineJobs/{stray.id}")
            elif stray.service == "Cloud Build":
                Builds(self._clients).cancel(stray.id)
            else:
                Dataflow(self._clients).cancel(stray.id)
        except EngineError as error:
            return error.message
        return ""

    @property
    def _since(self) -> datetime:
        return datetime.now(UTC) - _OLDEST

    def _jobs(self) -> Iterator[Stray]:
        for job in Jobs(self._clients).list(self._since).values():
            if job.goes_on and job.owner == self._owner:
                yield Stray("Vertex AI", job.job_id, job.uid)

    def _builds(self) -> Iterator[Stray]:
        for build in Builds(self._clients).of_owner(self._since):
            if goes_on(build):
                yield Stray("Cloud Build", build.id, _uid(build.tags))

    def _dataflow(self) -> Iterator[Stray]:
        for job in Dataflow(self._clients).active():
            if job.owner == self._owner:
                yield Stray("Dataflow", job.id, uid_of(job.pipeline_job) or "")


class _Part:
    """The search at one service, in a thread that nobody has to wait for."""

    def __init__(self, service: Service, look: Callable[[], Iterator[Stray]]) -> None:
        self._service = service
        self._look = look
        self._found: list[Stray] = []
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name=f"strays: {service}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for stray in self._look():
                self._found.append(stray)
        except EngineError as error:
            self._trouble = error.message
        except Exception as error:  # noqa: BLE001 - what the other services tell counts
            self._trouble = f"{type(error).__name__}: {error}"

    def end(self, deadline: float, seconds: float) -> tuple[list[Stray], str]:
        """Wait, and return what was found, and what may be missing."""
        self._thread.join(max(deadline - time.monotonic(), 0))
        found = list(self._found)
        if self._thread.is_alive():
            return found, f"{self._service} didn't tell all that goes on within {seconds:.0f} s."
        if self._trouble:
            return found, f"{self._service} couldn't be looked through: {self._trouble}"
        return found, ""


def _uid(tags: Collection[str]) -> str:
    found = (uid_of(tag.removeprefix("towerlab-")) for tag in tags)
    return next((uid for uid in found if uid), "")
