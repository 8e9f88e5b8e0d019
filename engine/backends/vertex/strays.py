"""Jobs of a workspace that go on although no experiment knows them any more.

They come of a deletion by hand, a database that was restored, or a build that made its job after
everybody had gone. Only what has the label of this workspace's id is looked at: others may keep
their artifacts below the same root.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from engine.backends.vertex.builds import ACTIVE, Builds
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.dataflow import Dataflow
from engine.backends.vertex.jobs import Jobs
from engine.spec.cloud import OWNER_LABEL, uid_of

_OLDEST = timedelta(days=30)
"""Nothing of ours goes on for as long."""


class Stray(NamedTuple):
    """Something that goes on; `id` is its service's, `uid` that of the experiment it was for."""

    service: Literal["Vertex AI", "Cloud Build", "Dataflow"]
    id: str
    uid: str


class Strays:
    """What goes on of a workspace.

    Args:
        clients: of the target that new experiments run on, with its owner.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._owner = clients.target.labels[OWNER_LABEL]

    def active(self) -> list[Stray]:
        """Return what goes on of the workspace, known or not.

        Raises:
            EnvironmentNotReady: a service doesn't answer.
        """
        since = datetime.now(UTC) - _OLDEST
        jobs = Jobs(self._clients).list(since).values()
        builds = Builds(self._clients).of_owner(since)
        dataflow = Dataflow(self._clients).active()
        return [
            *(
                Stray("Vertex AI", j.job_id, j.uid)
                for j in jobs
                if j.goes_on and j.owner == self._owner
            ),
            *(Stray("Cloud Build", b.id, _uid(b.tags)) for b in builds if b.status in ACTIVE),
            *(
                Stray("Dataflow", job.id, uid_of(job.pipeline_job) or "")
                for job in dataflow
                if job.owner == self._owner
            ),
        ]

    def cancel(self, stray: Stray) -> None:
        """Ask for the end of something; what has ended is left alone.

        Raises:
            EnvironmentNotReady: its service doesn't answer; it may be repeated.
        """
        target = self._clients.target
        if stray.service == "Vertex AI":
            Jobs(self._clients).cancel(f"{target.parent}/pipelineJobs/{stray.id}")
        elif stray.service == "Cloud Build":
            Builds(self._clients).cancel(stray.id)
        else:
            Dataflow(self._clients).cancel(stray.id)


def _uid(tags: Collection[str]) -> str:
    found = (uid_of(tag.removeprefix("towerlab-")) for tag in tags)
    return next((uid for uid in found if uid), "")
