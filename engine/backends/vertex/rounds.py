"""What one look at a place tells of all runs there: one list of builds, then one of jobs.

In this order, since a build makes its job before it ends: whose build is seen to have ended, its
job is in the list of jobs that follows, if it made one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.builds import Builds
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import Jobs, ListedJob
from engine.backends.vertex.record import Submission
from engine.errors import EngineError
from engine.spec.cloud import OWNER_LABEL, WORKSPACE_LABEL, CloudTarget

_EARLIER = timedelta(hours=1)
"""How far clocks here and there may differ."""

Place = tuple[str | None, ...]


def place_of(target: CloudTarget) -> Place:
    """Return what decides on the lists that a target's jobs and builds are in.

    Experiments that differ in their image, say, are in the same lists.
    """
    labels = (target.labels.get(WORKSPACE_LABEL), target.labels.get(OWNER_LABEL))
    return (target.project, target.region, target.endpoint, *labels)


class Seen(NamedTuple):
    """The lists of one look.

    Attributes:
        jobs: by their id.
        builds: by their tags, the newest first.
        looked_for: the tags of builds that are listed if they are there.
        trouble: why there are no builds.
    """

    jobs: Mapping[str, ListedJob]
    builds: Mapping[str, Sequence[Build]]
    looked_for: frozenset[str]
    trouble: EngineError | None

    def builds_of(self, submission: Submission) -> Sequence[Build]:
        """Return the builds for an experiment, the newest first.

        Raises:
            EnvironmentNotReady: Cloud Build didn't answer.
        """
        if self.trouble is not None:
            raise self.trouble
        return self.builds.get(submission.build_tag, ())


def look_around(
    clients: Clients, runs: Collection[Submission], building: Collection[Submission]
) -> Seen:
    """List what is at the place of some runs.

    Args:
        clients: for the place.
        runs: all at one place.
        building: those of them that may have a build, but no job yet; without any, no builds are
            listed.

    Raises:
        EnvironmentNotReady: Vertex AI doesn't answer.
    """
    builds: dict[str, list[Build]] = {}
    trouble: EngineError | None = None
    if building:
        try:
            for build in Builds(clients).of_owner(_since(building)):
                for tag in build.tags:
                    builds.setdefault(tag, []).append(build)
        except EngineError as error:
            trouble = error
    looked_for = frozenset(submission.build_tag for submission in building)
    return Seen(Jobs(clients).list(_since(runs)), builds, looked_for, trouble)


def _since(runs: Collection[Submission]) -> datetime:
    return min(submission.submitted_at for submission in runs) - _EARLIER
