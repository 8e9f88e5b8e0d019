"""Plans over a workspace's definition files and data; heavy libraries load at the first plan."""

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

        Raises:
            InvalidInput: the request or the data is wrong, or the definitions are of a version of
                Towerlab whose definitions are no longer understood.
        """
        return self._plan(request, _restored(request, definitions))

    def _plan(self, request: QuickTestRequest, definitions: "Definitions") -> Plan:
        from engine.planning import plan_quick_test

        return plan_quick_test(request, definitions, root=self._workspace.root)


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
