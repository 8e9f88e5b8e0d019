"""Dataflow's jobs that a pipeline job has started, found by their label.

There is no client library for Dataflow here, and two calls are all that is needed. Lists may leave
out labels, so each active job is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.backends.vertex.clients import Clients, checked
from engine.backends.vertex.problems import told
from engine.spec.cloud import JOB_LABEL, OWNER_LABEL

_SERVICE = "Dataflow"


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
        body = {"requestedState": "JOB_STATE_CANCELLED"}
        with told(_SERVICE, f"cancel the job {job_id}", self._project):
            answer = self._clients.session.put(
                f"{self._clients.dataflow_url}/{job_id}",
                json=body,
                timeout=self._clients.patience.call,
            )
            if answer.status_code not in (400, 404):  # it has ended meanwhile
                checked(answer)

    def active(self) -> Iterator[DataflowJob]:
        """Yield the active jobs that have our labels.

        Raises:
            EnvironmentNotReady: they can't be listed now.
        """
        token = ""
        while True:
            page = self._get(
                "", {"filter": "ACTIVE", "pageToken": token} if token else {"filter": "ACTIVE"}
            )
            for listed in page.get("jobs", ()):
                job = listed if "labels" in listed else self._get(f"/{listed['id']}", {})
                labels = job.get("labels", {})
                if JOB_LABEL in labels:
                    yield DataflowJob(
                        id=str(job["id"]),
                        name=str(job.get("name", "")),
                        pipeline_job=str(labels[JOB_LABEL]),
                        owner=str(labels.get(OWNER_LABEL, "")),
                    )
            token = page.get("nextPageToken", "")
            if not token:
                return

    def _get(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        with told(_SERVICE, "list the jobs", self._project):
            answer = self._clients.session.get(
                self._clients.dataflow_url + path,
                params=params,
                timeout=self._clients.patience.call,
            )
            return checked(answer)
