"""`PipelineLogsService`: what a component logged, from Cloud Logging.

The project may list 60 times a minute, whoever asks: calls are counted here, and answers kept.
"""

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from google.cloud.aiplatform_v1 import PipelineJob
from google.cloud.logging_v2.types import ListLogEntriesRequest
from google.cloud.logging_v2.types import LogEntry as CloudEntry

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import NOT_BEGUN, job_numbers, tasks_of, time_of, utc
from engine.backends.vertex.problems import told
from engine.errors import EnvironmentNotReady
from engine.spec.run_folder import ComponentName, LogEntry, Severity

LISTS_A_MINUTE = 50
"""Fewer than the quota of 60: others of the project look at logs, too."""
KEPT_SECONDS = 10.0
"""How long the log of a component is not asked for again while its state stays the same."""
_KEPT_ANSWERS = 200
_LATE = timedelta(minutes=1)
"""How long after its end a component's last entries may take to arrive."""
_BEFORE = timedelta(minutes=5)
_MESSAGE_LIMIT = 4096
_SERVICE = "Cloud Logging"
_TASK, _PIPELINE = "ml_job", "aiplatform.googleapis.com/PipelineJob"
_OURS = "RunFailure"
_EXCEPTION = re.compile(
    r"^\s*((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Failure|Interrupt|Exit)): (.*)$", re.M
)
_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\d [\d:.]+: )?(?P<level>[DIWEF])(?:\d{4} [\d:.]+ +\d+)? "
    r"(?:\S*/)?(?P<file>[^\s/]+?)(?:\.py|\.cc)?:\d+\] (?P<text>.*)",
    re.DOTALL,
)
"""A line as Abseil or TensorFlow writes it, with its own level and time."""
_LEVELS: Mapping[str, Severity] = {"D": "DEBUG", "I": "INFO", "W": "WARNING"}


class PipelineLogsService:
    """Reads the logs of components.

    Args:
        clients: of the target.
        clock: seconds that only grow.
    """

    def __init__(self, clients: Clients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._kept: dict[tuple[str, int, str], tuple[float, list[LogEntry]]] = {}

    def get_component_logs(
        self, job: PipelineJob, component: ComponentName, *, limit: int = 50
    ) -> list[LogEntry]:
        """Return the newest entries of a component, newest first, of all its attempts.

        Those of the tasks' own machines; where they have none, those of the pipeline job. A
        component that hasn't begun has none, unless the job ended before any did.

        Raises:
            EnvironmentNotReady: Cloud Logging doesn't answer, or its quota is used up.
        """
        begun = {n: task for n, task in tasks_of(job).items() if task.state not in NOT_BEGUN}
        task = begun.get(component)
        if task is None and (begun or not job.end_time):
            return []
        ended_at = time_of(task or job, "end_time")
        goes_on = ended_at is None or datetime.now(UTC) - ended_at < _LATE
        ask = partial(
            self._list,
            job=job,
            limit=limit,
            state=str(int((task or job).state)),
            kept_seconds=KEPT_SECONDS if goes_on else math.inf,
        )
        numbers = job_numbers(job, component)
        found = ask(_of_task(numbers)) if numbers else []
        return found or ask(_of_pipeline(job))

    def cause(self, job: PipelineJob, component: ComponentName) -> str | None:
        """Return the exception that a component ended with, as "ValueError: …"; None if unknown.

        What our own code says of a failure is a sentence already, and stands alone.
        """
        try:
            entries = self.get_component_logs(job, component)
        except EnvironmentNotReady:
            return None
        for entry in entries:
            if found := _EXCEPTION.findall(entry.message):
                name, text = found[-1]
                kind = name.rpartition(".")[2]
                return text.strip() if kind == _OURS else f"{kind}: {text.strip()}"
        return None

    def _list(
        self, resource: str, *, job: PipelineJob, limit: int, state: str, kept_seconds: float
    ) -> list[LogEntry]:
        """Return the newest entries of a resource, as they were not longer ago than told."""
        since = utc(job.create_time) - _BEFORE
        wanted = f'{resource} AND timestamp>="{since:%Y-%m-%dT%H:%M:%SZ}"'
        key = (wanted, limit, state)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < kept_seconds:
            return kept[1]
        found = self._asked(wanted, limit)
        with self._lock:
            self._kept.pop(key, None)  # the newest answer is the last one
            self._kept[key] = (self._clock(), found)
            if len(self._kept) > _KEPT_ANSWERS:
                del self._kept[next(iter(self._kept))]
        return found

    def _asked(self, wanted: str, limit: int) -> list[LogEntry]:
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self._clients.target.project}"],
            filter=wanted,
            order_by="timestamp desc",
            page_size=limit,
        )
        patience = self._clients.patience
        retry = patience.retry(on_error=lambda error: self._count())  # repetitions count, too
        self._count()
        with told(_SERVICE, "read the log", self._clients.target.project):
            pager = self._clients.logging.list_log_entries(
                request, timeout=patience.call, retry=retry
            )
            page = next(iter(pager.pages))  # iterating over entries would fetch all pages
        return [_entry(entry) for entry in page.entries][:limit]

    def _count(self) -> None:
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0] <= now - 60:
                self._calls.popleft()
            if len(self._calls) >= LISTS_A_MINUTE:
                seconds = 60 - (now - self._calls[0])
                raise EnvironmentNotReady(
                    "Cloud Logging may be asked 60 times a minute, which is used up.",
                    hint=f"Look again in {max(seconds, 1):.0f} s.",
                )
            self._calls.append(now)


def _of_task(numbers: Sequence[str]) -> str:
    ids = " OR ".join(f'"{number}"' for number in numbers)
    return f'resource.type="{_TASK}" AND resource.labels.job_id=({ids})'


def _of_pipeline(job: PipelineJob) -> str:
    job_id = job.name.rpartition("/")[2]
    return f'resource.type="{_PIPELINE}" AND resource.labels.pipeline_job_id="{job_id}"'


def _entry(entry: CloudEntry) -> LogEntry:
    """Return an entry. A level within the line counts for more than where it was written to."""
    message, severity = _message(entry), _severity(int(entry.severity))
    if (line := _LINE.fullmatch(message)) is not None:
        message, severity = f"{line['file']}: {line['text']}", _LEVELS.get(line["level"], "ERROR")
    return LogEntry(
        timestamp=utc(entry.timestamp), severity=severity, message=message[:_MESSAGE_LIMIT]
    )


def _severity(level: int) -> Severity:
    if level >= 500:
        return "ERROR"
    if level >= 400:
        return "WARNING"
    return "DEBUG" if level == 100 else "INFO"


def _message(entry: CloudEntry) -> str:
    payload: Mapping[str, Any] | None = dict(entry.json_payload) if entry.json_payload else None
    if payload is None:
        return str(entry.text_payload)
    return str(payload.get("message") or payload)
