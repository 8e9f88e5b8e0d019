"""Where the settings of a workspace say that experiments run."""

from engine.config import CloudSettings
from engine.errors import EnvironmentNotReady
from engine.spec.base import content_hash
from engine.spec.cloud import OWNER_LABEL, WORKSPACE_LABEL, CloudTarget

SETUP_HINT = "docs/cloud.md tells how to set a project up; `towerlab doctor` checks it."


def target_of(settings: CloudSettings) -> CloudTarget:
    """Return where an experiment that is submitted now runs.

    Raises:
        EnvironmentNotReady: a setting is missing.
    """
    if settings.missing:
        keys = ", ".join(settings.missing)
        raise EnvironmentNotReady(
            f"[cloud] in config.toml doesn't say: {keys}.",
            hint=SETUP_HINT,
        )
    return CloudTarget(
        project=settings.project,
        region=settings.region,
        dataflow_region=settings.dataflow_region,
        root=settings.bucket,
        temp_root=settings.temp_bucket,
        image=settings.image,
        service_account=settings.service_account or None,
        network=settings.network or None,
        subnetwork=settings.subnetwork or None,
        labels={**settings.labels, WORKSPACE_LABEL: content_hash(settings.bucket)},
        endpoint=settings.endpoints.vertex or None,
    )


def owned(target: CloudTarget, owner: str) -> CloudTarget:
    """Return the target with the label of the workspace whose jobs run there.

    Args:
        target: where they run.
        owner: the workspace's id.
    """
    return target.replace(labels={**target.labels, OWNER_LABEL: owner})
