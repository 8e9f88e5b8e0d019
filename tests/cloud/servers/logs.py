"""Cloud Logging as clients see it: entries that others wrote, 60 lists a minute."""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from google.api import monitored_resource_pb2
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry

from tests.cloud.servers import filters
from tests.cloud.servers.faults import Faults
from tests.cloud.servers.grpc_server import Method, Service
from tests.cloud.servers.refusal import refuse

LISTS_A_MINUTE = 60
_FILTERS = {
    "resource.type": "=",
    "resource.": "=",
    "timestamp": ">= <= > <",
    "severity": ">= =",
    "labels.": "=",
}


class Logging:
    """The log of one project.

    Attributes:
        entries: oldest first.
        filters: that clients asked with.
    """

    def __init__(self, project: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._project = project
        self.clock = clock
        self._lock = threading.Lock()
        self._lists: deque[float] = deque()
        self.faults = Faults()
        self.entries: list[LogEntry] = []
        self.filters: list[str] = []

    def services(self) -> list[Service]:
        """Return what a server has to offer."""
        methods = {"ListLogEntries": Method(self._list, ListLogEntriesRequest)}
        return [Service("google.logging.v2.LoggingServiceV2", methods, self.faults)]

    def forget(self) -> None:
        """Begin anew: nothing was logged, and nobody has asked."""
        with self._lock:
            for kept in (self.entries, self.filters, self._lists):
                kept.clear()

    def write(
        self,
        kind: str,
        labels: dict[str, str],
        message: str,
        *,
        severity: str = "INFO",
        json_payload: bool = False,
        at: datetime | None = None,
    ) -> None:
        """Add an entry of a resource."""
        resource = monitored_resource_pb2.MonitoredResource(type=kind, labels=labels)
        payload = (
            {"json_payload": {"message": message, "levelname": severity}}
            if json_payload
            else {"text_payload": message}
        )
        with self._lock:
            self.entries.append(
                LogEntry(
                    log_name=f"projects/{self._project}/logs/{kind.rpartition('/')[2]}",
                    insert_id=f"id{len(self.entries)}",
                    timestamp=at or datetime.now(UTC),
                    severity=_SEVERITIES[severity],
                    resource=resource,
                    **payload,
                )
            )

    def _list(self, request: ListLogEntriesRequest) -> ListLogEntriesResponse:
        if list(request.resource_names) != [f"projects/{self._project}"]:
            refuse("PERMISSION_DENIED", "Permission denied for all log views")
        if request.order_by not in ("", "timestamp asc", "timestamp desc"):
            refuse("INVALID_ARGUMENT", f"Can't order by {request.order_by!r}.")
        self._count()
        terms = filters.parse(request.filter, _FILTERS)
        self.filters.append(request.filter)
        with self._lock:
            found = [e for e in self.entries if all(_matches(e, term) for term in terms)]
        found.sort(key=lambda e: e.timestamp, reverse=request.order_by == "timestamp desc")
        start = int(request.page_token or 0)
        end = start + (request.page_size or 50)
        return ListLogEntriesResponse(
            entries=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )

    def _count(self) -> None:
        with self._lock:
            now = self.clock()
            while self._lists and self._lists[0] <= now - 60:
                self._lists.popleft()
            if len(self._lists) >= LISTS_A_MINUTE:
                refuse(
                    "RESOURCE_EXHAUSTED",
                    "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per"
                    " minute' of service 'logging.googleapis.com'",
                )
            self._lists.append(now)


_SEVERITIES = {
    "DEFAULT": 0, "DEBUG": 100, "INFO": 200, "NOTICE": 300, "WARNING": 400, "ERROR": 500,
    "CRITICAL": 600,
}  # fmt: skip


def _matches(entry: LogEntry, term: filters.Term) -> bool:
    if term.field == "resource.type":
        return filters.matches(term, entry.resource.type)
    if term.field.startswith("resource.labels."):
        label = term.field.removeprefix("resource.labels.")
        return filters.matches(term, entry.resource.labels.get(label, ""))
    if term.field == "timestamp":
        return filters.matches(term, entry.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return True
