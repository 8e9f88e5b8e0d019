"""Dataflow's jobs that a pipeline job has started, found by their label.

There is no client library for Dataflow here, and three calls are all that is needed. Lists leave
out labels, so each active job is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.problems import told
from engine.spec.cloud import JOB_LABEL, OWNER_LABEL

_SERVICE = "Dataflow"
_ENDING = frozenset(
    f"JOB_STATE_{state}"
    for state in ("CANCELLING", "CANCELLED", "DONE", "FAILED", "UPDATED", "DRAINED")
)
"""States of a job that has ended, or that was asked to."""


@dataclass(frozen=True)
class DataflowJob:
    """An active job; `pipeline_job` is the id of the pipeline job that started it."""

    id: str
    name: str
    pipeline_job: str
    owner: str


class Dataflow:
    """The active jobs in a target's Dataflow region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._project = clients.target.project

    def cancel_of(self, pipeline_job: str) -> int:
        """Cancel the jobs that a pipeline job has started; return how many there were.

        Raises:
            EnvironmentNotReady: one may be left; it may be repeated.
        """
        found = [job for job in self.active() if job.pipeline_job == pipeline_job]
        for job in found:
            self.cancel(job.id)
        return len(found)

    def cancel(self, job_id: str) -> None:
        """Ask a job to end; one that has ended is left alone.

        Raises:
            EnvironmentNotReady: it can't be asked now.
        """
        url = f"{self._clients.dataflow_url}/{job_id}"
        with told(_SERVICE, f"cancel the job {job_id}", self._project):
            try:
                self._clients.ask("PUT", url, body={"requestedState": "JOB_STATE_CANCELLED"})
            except exceptions.NotFound:
                return
            except (exceptions.BadRequest, exceptions.Conflict):
                # So it answers when a job has ended meanwhile, but not only then.
                if not _is_ending(self._clients.ask("GET", url)):
                    raise

    def active(self) -> Iterator[DataflowJob]:
        """Yield the jobs that have our labels, and that nobody has asked to end.

        Raises:
            EnvironmentNotReady: they can't be listed now.
        """
        query = {"filter": "ACTIVE"}
        while True:
            with told(_SERVICE, "list the jobs", self._project):
                page = self._clients.ask("GET", self._clients.dataflow_url, query=query)
            for listed in page.get("jobs", ()):
                labels = {} if _is_none_of_ours(listed) else self._labels(listed)
                if JOB_LABEL in labels:
                    yield DataflowJob(
                        id=str(listed["id"]),
                        name=str(listed.get("name", "")),
                        pipeline_job=labels[JOB_LABEL],
                        owner=labels.get(OWNER_LABEL, ""),
                    )
            if not page.get("nextPageToken"):
                return
            query = {**query, "pageToken": str(page["nextPageToken"])}

    def _labels(self, listed: Mapping[str, Any]) -> dict[str, str]:
        """Return the labels of a listed job; one that is gone meanwhile has none."""
        with told(_SERVICE, "look at a job", self._project):
            try:
                url = f"{self._clients.dataflow_url}/{listed['id']}"
                job = listed if "labels" in listed else self._clients.ask("GET", url)
            except exceptions.NotFound:
                return {}
        return {str(key): str(value) for key, value in job.get("labels", {}).items()}


def _is_none_of_ours(job: Mapping[str, Any]) -> bool:
    return _is_ending(job) or job.get("type") == "JOB_TYPE_STREAMING"


def _is_ending(job: Mapping[str, Any]) -> bool:
    return job.get("currentState") in _ENDING
