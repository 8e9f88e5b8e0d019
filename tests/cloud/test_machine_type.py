"""The machine type that somebody chooses in the wizard is the one that Dataflow's workers get."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api import Engine
from engine.workspace import Workspace
from tests.cloud.demo_runs import Builds
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.faults.cloud_engine import CloudEngine
from tests.faults.waiting import wait_for
from tests.tui.harness import in_loop
from tests.tui.wizard_app import Wizard, workspace_in
from tui.link import Link

__all__ = ["cloud", "served"]

pytestmark = pytest.mark.pipeline

DATAFLOW_REGION = "europe-north1"
"""Nothing's default."""
ON_DATAFLOW = ("StatisticsGen", "Transform")


class CloudLink(Link):
    """A link to the workspace's own backends, whose worker is the test."""

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = Engine(Workspace(self.root), start_worker=False)
            return self._engine


@pytest.fixture
def root(tmp_path: Path, cloud: Cloud) -> Iterator[Path]:
    """A workspace whose builds really compile, and whose jobs stay as they are."""
    root = workspace_in(tmp_path)
    write_settings(root, cloud, dataflow_region=DATAFLOW_REGION)
    (tmp_path / "builds").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud.builds, "run", Builds(cloud, tmp_path / "builds").run)
        patch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
        yield root
    cloud.pipelines.jobs.clear()


async def chosen_in_the_wizard(root: Path) -> int:
    """Choose Google Cloud, rows to be sent, and the medium hardware; return the number."""
    wizard = Wizard(root)
    wizard.app.link = CloudLink(root)
    async with wizard:
        await wizard.press("ctrl+n")
        wizard.go("backend")
        await wizard.press("right")
        await wizard.settle()
        wizard.go("upload_rows")
        await wizard.press("right")
        wizard.go("hardware")
        await wizard.press("right", "right")
        await wizard.settle()
        assert "Dataflow on e2-standard-8" in wizard.text
        stored = await wizard.start()
        assert (stored.params.machine_type, stored.backend) == ("e2-standard-8", "vertex")
        wizard.engine.close()
        return stored.number


@in_loop
async def test_from_the_wizard_to_the_arguments_that_beam_gets(root: Path, cloud: Cloud):
    number = await chosen_in_the_wizard(root)
    engine = CloudEngine(Workspace(root))
    uid = engine.see(number).uid

    def submitted() -> bool:
        engine.tick()
        assert "failed" not in engine.see(number).status, engine.see(number)
        return f"qt-{uid}-a1" in cloud.pipelines.jobs

    wait_for(submitted, seconds=240, what="the pipeline job")
    (build,) = (b for b in cloud.builds.builds.values() if f"towerlab-qt-{uid}-a1" in b.tags)
    asked = dict(build.substitutions)
    assert asked["_MACHINE_TYPE"] == "e2-standard-8"
    assert (asked["_REGION"], asked["_DATAFLOW_REGION"]) == ("europe-central2", DATAFLOW_REGION)
    job = cloud.pipelines.jobs[f"qt-{uid}-a1"]
    executors = job.pipeline_spec["deploymentSpec"]["executors"]
    for task in ON_DATAFLOW:
        given = list(executors[f"{task}_executor"]["container"]["args"])
        options = [word for word in given if word.startswith(("--worker_machine_type", "--region"))]
        assert options == [f"--region={DATAFLOW_REGION}", "--worker_machine_type=e2-standard-8"]
    assert job.name.startswith("projects/123456789012/locations/europe-central2/")
    engine.database.close()
