"""Vertex ML Metadata as far as the cache goes by it: which execution wrote which artifact."""

import itertools
import re
import threading

from google.cloud.aiplatform_v1 import (
    Artifact,
    DeleteExecutionRequest,
    DeleteOperationMetadata,
    Event,
    Execution,
    LineageSubgraph,
    ListArtifactsRequest,
    ListArtifactsResponse,
    QueryArtifactLineageSubgraphRequest,
)
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from tests.cloud.servers import filters
from tests.cloud.servers.faults import Faults
from tests.cloud.servers.grpc_server import Method, Service
from tests.cloud.servers.refusal import refuse


class Metadata:
    """The default store of one region of one project.

    Attributes:
        artifacts: by name.
        events: that tie executions to the artifacts that they wrote or read.
    """

    def __init__(self, project: str, number: str, region: str) -> None:
        self._store = f"projects/{number}/locations/{region}/metadataStores/default"
        self._stores = {self._store.replace(number, name, 1) for name in (project, number)}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.faults = Faults()
        self.artifacts: dict[str, Artifact] = {}
        self.events: list[Event] = []

    def services(self) -> list[Service]:
        """Return what a server has to offer."""
        methods = {
            "ListArtifacts": Method(self._list, ListArtifactsRequest),
            "QueryArtifactLineageSubgraph": Method(
                self._lineage, QueryArtifactLineageSubgraphRequest
            ),
            "DeleteExecution": Method(self._delete, DeleteExecutionRequest),
        }
        return [Service("google.cloud.aiplatform.v1.MetadataService", methods, self.faults)]

    def write(self, uri: str, *read: Artifact) -> Artifact:
        """Return an artifact that a new execution wrote, which has read some others."""
        with self._lock:
            number = next(self._numbers)
            artifact = Artifact(name=f"{self._store}/artifacts/{number}", uri=uri)
            self.artifacts[artifact.name] = artifact
            self.take(artifact)
            for other in read:
                self._tie(other, self.events[-1].execution, Event.Type.INPUT)
            return artifact

    def take(self, artifact: Artifact) -> None:
        """Let a new execution have written an artifact, as one that took it from the cache has."""
        execution = f"{self._store}/executions/{next(self._numbers)}"
        self._tie(artifact, execution, Event.Type.OUTPUT)

    def cached(self, artifact: Artifact) -> bool:
        """Whether the cache would give an artifact to somebody."""
        output = Event.Type.OUTPUT
        return any((e.artifact, e.type_) == (artifact.name, output) for e in self.events)

    def _tie(self, artifact: Artifact, execution: str, kind: Event.Type) -> None:
        self.events.append(Event(artifact=artifact.name, execution=execution, type_=kind))

    def _list(self, request: ListArtifactsRequest) -> ListArtifactsResponse:
        if request.parent not in self._stores:
            refuse("INVALID_ARGUMENT", f"Invalid parent {request.parent!r}.")
        terms = filters.parse(request.filter, {"uri": "="})
        with self._lock:
            every = list(self.artifacts.values())
        found = [a for a in every if all(filters.matches(term, a.uri) for term in terms)]
        return ListArtifactsResponse(artifacts=found)

    def _lineage(self, request: QueryArtifactLineageSubgraphRequest) -> LineageSubgraph:
        if request.max_hops < 0 or "max_hops" not in request:
            refuse("INVALID_ARGUMENT", "This server answers one hop.")
        self._check(request.artifact, "artifacts")
        if request.artifact not in self.artifacts:
            refuse("NOT_FOUND", f"Artifact {request.artifact} does not exist.")
        with self._lock:
            events = [e for e in self.events if e.artifact == request.artifact]
        return LineageSubgraph(
            artifacts=[Artifact(name=request.artifact)],
            executions=[Execution(name=event.execution) for event in events],
            events=events,
        )

    def _delete(self, request: DeleteExecutionRequest) -> operations_pb2.Operation:
        self._check(request.name, "executions")
        with self._lock:
            left = [event for event in self.events if event.execution != request.name]
            if len(left) == len(self.events):
                refuse("NOT_FOUND", f"Execution {request.name} does not exist.")
            self.events = left
        operation = operations_pb2.Operation(name=f"{request.name}/operations/1", done=True)
        operation.metadata.Pack(DeleteOperationMetadata.pb(DeleteOperationMetadata()))
        operation.response.Pack(empty_pb2.Empty())
        return operation

    def _check(self, name: str, kind: str) -> None:
        if not re.fullmatch(rf"{re.escape(self._store)}/{kind}/[0-9]+", name):
            refuse("INVALID_ARGUMENT", f"Invalid name {name!r}.")
