"""What `towerlab doctor` finds out about a workspace's part in Google Cloud.

Google's libraries take seconds to import: that happens here only where `[cloud]` is set up.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.errors import EngineError, EnvironmentNotReady
from engine.findings import Check
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.backends.vertex.clients import Clients
    from engine.backends.vertex.strays import Search, Stray

_NAME, _STRAYS = "Google Cloud", "stray jobs"
_CALL_SECONDS, _RETRY_SECONDS = 10.0, 20.0
_SEARCH_SECONDS = 30.0


def examine_cloud(workspace: Workspace) -> Iterator[Check]:
    """Yield a check at a time; one only where nothing is set up."""
    settings = workspace.cloud
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


class StrayHunt:
    """The workspace's jobs in Google Cloud that go on, but that no active experiment knows.

    Raises:
        EnvironmentNotReady: a setting is missing.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._clients = _clients(workspace)

    def find(self) -> "Search":
        """Return them, and what may have been missed, within half a minute.

        Raises:
            EnvironmentNotReady: the database doesn't answer.
        """
        from engine.backends.vertex.strays import Strays
        from engine.store import experiments, open_database

        search = Strays(self._clients).active(seconds=_SEARCH_SECONDS)
        # Read afterwards: an experiment is stored before anything is asked of Google for it.
        database = open_database(self._workspace.database_url)
        try:
            with database.read() as session:
                known = {experiment.uid for experiment in experiments.tracked(session)}
        finally:
            database.close()
        return search._replace(found=[stray for stray in search.found if stray.uid not in known])

    def cancel(self, strays: "Sequence[Stray]") -> "dict[Stray, str]":
        """Ask for the end of some; return those that may go on, with the reason."""
        from engine.backends.vertex.strays import Strays

        return Strays(self._clients).cancel(strays, seconds=_SEARCH_SECONDS)


def _strays(workspace: Workspace) -> Check:
    try:
        found, missed = StrayHunt(workspace).find()
    except EngineError as error:
        return Check(_STRAYS, "warning", f"could not be looked for: {error.message}")
    if not found and not missed:
        return Check(_STRAYS, "ok", "none: experiments know all that goes on")
    told = ", ".join(f"{stray.service} {stray.id}" for stray in found)
    sentences = [f"no experiment knows: {told}." if found else "none were found, but:", *missed]
    hint = "Run `towerlab doctor --cancel-strays`." if found else "Ask again later."
    return Check(_STRAYS, "warning", " ".join(sentences), hint)


def _clients(workspace: Workspace) -> "Clients":
    # Google's libraries tell everybody when their Python will be too old.
    warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
    from engine.backends.vertex.clients import Clients, Patience
    from engine.backends.vertex.target import owned, target_of

    settings = workspace.cloud
    patience = Patience(call=_CALL_SECONDS, retries=_RETRY_SECONDS)
    target = owned(target_of(settings), workspace.id)
    return Clients(target, settings.endpoints, patience)
