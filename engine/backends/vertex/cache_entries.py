"""What Vertex AI's cache knows of outputs, forgotten before these are deleted.

The cache goes by the executions in Vertex ML Metadata, and doesn't look whether what they wrote is
still there: an experiment that came later would be given outputs that are gone.
"""

import logging
from collections.abc import Iterable

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import (
    Event,
    ListArtifactsRequest,
    QueryArtifactLineageSubgraphRequest,
)

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import Output, output_of
from engine.backends.vertex.problems import told
from engine.errors import EnvironmentNotReady

_log = logging.getLogger(__name__)

_SERVICE = "Vertex AI"
_REFUSALS = (
    exceptions.InvalidArgument,
    exceptions.FailedPrecondition,
    exceptions.MethodNotImplemented,
)
"""Answers that stay the same however often it is asked."""


class CacheEntries:
    """The executions of a target's region by which the cache finds outputs."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._project = clients.target.project

    def find(self, uris: Iterable[str]) -> list[Output]:
        """Return the outputs that are at some gs:// URIs, as far as Vertex ML Metadata knows them.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer.
        """
        found: list[Output] = []
        for uri in uris:
            request = ListArtifactsRequest(
                parent=f"{self._clients.target.parent}/metadataStores/default",
                filter=f'uri="{uri}"',
            )
            with told(_SERVICE, "look for an output", self._project):
                listed = self._clients.metadata.list_artifacts(
                    request, **self._clients.patience.options
                )
                found += [output_of(artifact.name, uri) for artifact in listed]
        return found

    def forget(self, outputs: Iterable[Output]) -> frozenset[str]:
        """Let the cache forget who wrote some outputs.

        Returns:
            The folders that it doesn't forget, which must stay therefore.

        Raises:
            EnvironmentNotReady: Vertex AI doesn't answer; it may be repeated.
        """
        stay: set[str] = set()
        for output in outputs:
            try:
                self._forget(output.name)
            except EnvironmentNotReady as error:
                if not isinstance(error.__cause__, _REFUSALS):
                    raise
                _log.warning("%s stays, since the cache keeps it: %s", output.folder, error)
                stay.add(output.folder)
        return frozenset(stay)

    def _forget(self, artifact: str) -> None:
        options = self._clients.patience.options
        request = QueryArtifactLineageSubgraphRequest(artifact=artifact, max_hops=1)
        client = self._clients.metadata
        with told(_SERVICE, "look who wrote an output", self._project):
            try:
                seen = client.query_artifact_lineage_subgraph(request, **options)
            except exceptions.NotFound:
                return
        written = (e.execution for e in seen.events if _wrote(e, artifact))
        for execution in dict.fromkeys(written):
            with told(_SERVICE, "delete an entry of the cache", self._project):
                try:
                    client.delete_execution(name=execution, **options)
                except exceptions.NotFound:
                    continue


def _wrote(event: Event, artifact: str) -> bool:
    same = event.artifact.rpartition("/")[2] == artifact.rpartition("/")[2]
    return same and event.type_ == Event.Type.OUTPUT
