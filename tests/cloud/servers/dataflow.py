"""Dataflow's jobs as clients see them: lists are summaries, without labels."""

import threading
from datetime import UTC, datetime
from typing import Any

from tests.cloud.servers.http_server import JsonService, Request, Route
from tests.cloud.servers.refusal import refuse

_RUNNING = {"JOB_STATE_RUNNING", "JOB_STATE_PENDING", "JOB_STATE_QUEUED"}
_ACTIVE = {*_RUNNING, "JOB_STATE_CANCELLING"}


class Dataflow(JsonService):
    """The jobs of one region of one project, by id."""

    def __init__(self, project: str, region: str) -> None:
        jobs = f"/v1b3/projects/{project}/locations/{region}/jobs"
        job = jobs + r"/(?P<id>[^/]+)"
        listed = frozenset({"filter", "pageToken", "pageSize"})
        super().__init__(
            [
                Route("GET", jobs, "ListJobs", listed, self._list),
                Route("GET", job, "GetJob", frozenset({"view"}), self._get),
                Route("PUT", job, "UpdateJob", frozenset(), self._update),
            ]
        )
        self._lock = threading.Lock()
        self.jobs: dict[str, dict[str, Any]] = {}

    def start(self, name: str, labels: dict[str, str], kind: str = "BATCH") -> str:
        """Let a job run; return its id."""
        with self._lock:
            job_id = f"{datetime.now(UTC):%Y-%m-%d_%H_%M_%S}-{len(self.jobs)}"
            self.jobs[job_id] = {
                "id": job_id,
                "name": name,
                "type": f"JOB_TYPE_{kind}",
                "currentState": "JOB_STATE_RUNNING",
                "createTime": datetime.now(UTC).isoformat(),
                "labels": labels,
            }
        return job_id

    def end(self, job_id: str) -> None:
        """Let a job be done unless it has ended."""
        with self._lock:
            if self.jobs[job_id]["currentState"] in _ACTIVE:
                self.jobs[job_id]["currentState"] = "JOB_STATE_DONE"

    def states(self) -> list[str]:
        """Return where each job is."""
        with self._lock:
            return [job["currentState"] for job in self.jobs.values()]

    def _list(self, request: Request) -> dict[str, Any]:
        wanted = request.query.get("filter", "ALL")
        if wanted not in ("ALL", "ACTIVE", "TERMINATED", "UNKNOWN"):
            refuse("INVALID_ARGUMENT", f"Invalid value at 'filter': {wanted!r}.")
        with self._lock:
            found = [
                {key: value for key, value in job.items() if key != "labels"}
                for job in self.jobs.values()
                if wanted == "ALL" or (job["currentState"] in _ACTIVE) == (wanted == "ACTIVE")
            ]
        start = int(request.query.get("pageToken", 0))
        answer: dict[str, Any] = {"jobs": found[start : start + 100]}
        if start + 100 < len(found):
            answer["nextPageToken"] = str(start + 100)
        return answer

    def _get(self, request: Request) -> dict[str, Any]:
        with self._lock:
            return dict(self._found(request))

    def _update(self, request: Request) -> dict[str, Any]:
        if unknown := request.body.keys() - {"requestedState"}:
            refuse("INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}.")
        with self._lock:
            job = self._found(request)
            if request.body.get("requestedState") != "JOB_STATE_CANCELLED":
                refuse("INVALID_ARGUMENT", "This server only cancels jobs.")
            if job["currentState"] not in _RUNNING:
                refuse("FAILED_PRECONDITION", "Cannot cancel a job that has ended.")
            job["currentState"] = "JOB_STATE_CANCELLED"
            return dict(job)

    def _found(self, request: Request) -> dict[str, Any]:
        found = self.jobs.get(request.parts["id"])
        if found is None:
            refuse(
                "NOT_FOUND", f"({request.parts['id']}): Information about job could not be found."
            )
        return found
