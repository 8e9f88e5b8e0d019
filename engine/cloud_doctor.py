"""What `towerlab doctor` finds out about a workspace's part in Google Cloud.

Google's libraries take seconds to import: that happens here only where `[cloud]` is set up.
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.errors import EngineError, EnvironmentNotReady
from engine.findings import Check
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.backends.vertex.clients import Clients
    from engine.backends.vertex.strays import Stray

_NAME = "Google Cloud"
_CALL_SECONDS, _RETRY_SECONDS = 10.0, 20.0


def examine_cloud(workspace: Workspace) -> Iterator[Check]:
    """Yield a check at a time; one only where nothing is set up."""
    settings = workspace.settings.cloud
    if not (settings.project or settings.bucket):
        yield Check(_NAME, "ok", "not set up; only experiments with the backend vertex need it")
        return
    try:
        clients = _clients(workspace)
    except EnvironmentNotReady as error:
        yield Check(_NAME, "missing", error.message, error.hint)
        return
    from engine.backends.vertex.examination import examine

    signed_in = True
    for check in examine(clients, settings):
        signed_in = signed_in and (check.name, check.state) != ("sign-in", "missing")
        yield check
    if signed_in:
        yield _strays(workspace)


def find_strays(workspace: Workspace) -> list["Stray"]:
    """Return the workspace's jobs in Google Cloud that go on, but that no active experiment knows.

    Raises:
        EnvironmentNotReady: a setting is missing, or Google or the database doesn't answer.
    """
    clients = _clients(workspace)
    from engine.backends.vertex.strays import Strays
    from engine.store import experiments, open_database

    found = Strays(clients).active()
    # Read afterwards: an experiment is stored before anything is asked of Google for it.
    database = open_database(workspace.database_url)
    try:
        with database.read() as session:
            known = {experiment.uid for experiment in experiments.tracked(session)}
    finally:
        database.close()
    return [stray for stray in found if stray.uid not in known]


def cancel_stray(workspace: Workspace, stray: "Stray") -> None:
    """Ask for the end of a stray job.

    Raises:
        EnvironmentNotReady: its service doesn't answer, or refuses.
    """
    clients = _clients(workspace)
    from engine.backends.vertex.strays import Strays

    Strays(clients).cancel(stray)


def _strays(workspace: Workspace) -> Check:
    try:
        found = find_strays(workspace)
    except EngineError as error:
        return Check("stray jobs", "warning", f"could not be looked for: {error.message}")
    if not found:
        return Check("stray jobs", "ok", "none: experiments know all that goes on")
    told = ", ".join(f"{stray.service} {stray.id}" for stray in found)
    hint = "Run `towerlab doctor --cancel-strays`."
    return Check("stray jobs", "warning", f"no experiment knows: {told}", hint)


def _clients(workspace: Workspace) -> "Clients":
    # Google's libraries tell everybody when their Python will be too old.
    warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
    from engine.backends.vertex.clients import Clients, Patience
    from engine.backends.vertex.target import owned, target_of

    settings = workspace.settings.cloud
    patience = Patience(call=_CALL_SECONDS, retries=_RETRY_SECONDS)
    target = owned(target_of(settings), workspace.id)
    return Clients(target, settings.endpoints, patience)
