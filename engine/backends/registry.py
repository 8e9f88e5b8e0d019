"""The backends of a workspace, by name."""

from collections.abc import Mapping
from typing import get_args

from engine.backends.base import Backend
from engine.backends.local import LocalBackend
from engine.backends.vertex.backend import VertexBackend
from engine.errors import EngineError, InvalidInput
from engine.states import BackendName
from engine.workspace import Workspace


def open_backends(workspace: Workspace) -> Mapping[str, Backend]:
    """Return every backend that can run experiments of this workspace."""
    backends: tuple[Backend, ...] = (LocalBackend(workspace), VertexBackend(workspace))
    return {backend.name: backend for backend in backends}


def unavailable(backends: Mapping[str, Backend]) -> dict[str, str]:
    """Return why experiments can't run somewhere, by the backend's name, for those that can't."""
    reasons: dict[str, str] = {}
    for name in get_args(BackendName):
        try:
            backend_named(backends, name).check_ready()
        except EngineError as error:
            reasons[name] = error.message
    return reasons


def backend_named(backends: Mapping[str, Backend], name: str) -> Backend:
    """Return a backend.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name not in backends:
        raise InvalidInput(
            f"There is no backend {name!r} in this workspace.",
            hint=f"Use {', '.join(sorted(backends))}.",
        )
    return backends[name]
