"""Plans over a workspace's definition files and data; heavy libraries load at the first plan."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.errors import InvalidInput
from engine.experiments import StoredDefinitions
from engine.planning import Plan, QuickTestRequest
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.definitions import Definitions
    from engine.definitions.catalog import DefinitionCatalog

_DECIDING = ("tables", "primary", "joins", "columns", "histories", "roles", "filters")
"""What of a dataset decides which rows it has."""


class WorkspacePlanner:
    """Resolves requests against the definitions and data of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @cached_property
    def catalog(self) -> "DefinitionCatalog":
        """The workspace's definition files, read and watched."""
        from engine.definitions.catalog import DefinitionCatalog

        return DefinitionCatalog(self._workspace.definitions)

    def definitions(self) -> "Definitions":
        """Return the definitions as they are in the files now."""
        return self.catalog.refresh()

    def plan(self, request: QuickTestRequest) -> Plan:
        """Plan with the definitions and data as they are now.

        Raises:
            InvalidInput: the request, a definition or the data is wrong.
        """
        return self._plan(request, self.definitions())

    def replan(self, request: QuickTestRequest, definitions: StoredDefinitions) -> Plan:
        """Plan with the definitions of an earlier experiment and the data as it is now.

        A source in BigQuery that the dataset got only later is taken where everything else of it is
        as it was: it says where the same rows are, not which. The plan's `source_note` tells.

        Raises:
            InvalidInput: the request or the data is wrong, or the definitions are of a version of
                Towerlab whose definitions are no longer understood.
        """
        stored = _restored(request, definitions)
        if request.backend != "vertex":
            return self._plan(request, stored)
        with_source, note = _with_present_source(stored, self.definitions())
        if note and with_source is stored and not request.upload_rows:
            raise InvalidInput(note, hint="Send its rows: --upload-rows.")
        plan = self._plan(request, with_source)
        told = (note,) if note else ()
        return plan.replace(source_note=note, warnings=(*told, *plan.warnings))

    def _plan(self, request: QuickTestRequest, definitions: "Definitions") -> Plan:
        from engine.planning import plan_quick_test

        return plan_quick_test(request, definitions, root=self._workspace.root)


def _with_present_source(
    stored: "Definitions", present: "Definitions"
) -> "tuple[Definitions, str]":
    """Return stored definitions with the source that their dataset has now, and what to tell."""
    from engine.definitions.names import listed, quoted

    ((name, was),) = stored.datasets.items()
    now = present.datasets.get(name)
    if was.bigquery is not None or now is None or now.bigquery is None:
        return stored, ""
    if changed := [part for part in _DECIDING if getattr(was, part) != getattr(now, part)]:
        return stored, (
            f"The BigQuery source that dataset {quoted(name)} has now isn't read: its"
            f" {listed(changed)} changed as well since the experiment ran."
        )
    dataset = was.model_copy(update={"bigquery": now.bigquery})
    return replace(stored, datasets={name: dataset}), (
        f"Dataset {quoted(name)} got its BigQuery source after the experiment ran; the rest of"
        " it is as it was."
    )


def _restored(request: QuickTestRequest, stored: StoredDefinitions) -> "Definitions":
    from engine.definitions import (
        DatasetDefinition,
        Definitions,
        FeatureConfigDefinition,
        ModelConfigDefinition,
    )

    try:
        features = FeatureConfigDefinition.model_validate(stored["feature_config"])
        return Definitions(
            datasets={features.dataset: DatasetDefinition.model_validate(stored["dataset"])},
            features={request.feature_config: features},
            models={
                request.model_config_name: ModelConfigDefinition.model_validate(
                    stored["model_config"]
                )
            },
        )
    except (KeyError, ValidationError) as error:
        raise InvalidInput(
            "The definitions that the experiment was stored with are no longer understood.",
            hint="Run a new experiment with today's definitions.",
        ) from error
