"""`kill -9` while the real pipeline runs: the next run reuses nothing that isn't whole."""

import random
import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engine.backends.local import LocalBackend
from engine.processes import send_signal
from engine.spec.run_folder import COMPONENT_NAMES
from engine.workspace import Workspace
from pipelines.cache import open_metadata
from tests.contracts.backend_contract import ENDED
from tests.contracts.local_workspace import kill_all, processes_of, standin_workspace
from tests.faults.waiting import wait_for
from tests.pipelines.following import follow
from tests.pipelines.grocery_spec import grocery_spec
from tests.sample_data import write_groceries

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("real-kills")
    yield standin_workspace(root, warm_runner=True, module="pipelines.run_local")
    kill_all(Workspace(root))


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_leaves_a_cache_that_is_whole(workspace: Workspace, seed: int):
    rng, uid = random.Random(seed), uuid4().hex
    data = write_groceries(workspace.root / f"data-{seed}", seed=seed)
    spec = grocery_spec(data, uid=uid)
    backend = LocalBackend(workspace)
    target = rng.choice(COMPONENT_NAMES)

    def reached() -> bool:
        status = backend.status(uid)
        if status.phase in ("absent", "starting"):
            backend.submit(spec)
        return any(
            state.name == target and state.status == "running" for state in status.components
        )

    wait_for(reached, seconds=240)
    everybody = [*processes_of(workspace, "pipelines.warm")]
    everybody += processes_of(workspace, "pipelines.supervise")
    send_signal(rng.choice(everybody), signal.SIGKILL)
    wait_for(lambda: backend.status(uid).phase in ENDED, seconds=240)
    assert backend.status(uid).phase in ("completed", "failed", "vanished")

    again = follow(workspace, grocery_spec(data, uid=uuid4().hex))
    clean = follow(workspace, grocery_spec(data, uid=uuid4().hex))
    assert clean.cached == [True, True, True, True, False]
    results = [backend.metrics(run.spec.uid) for run in (again, clean)]
    assert results[0] is not None
    assert results[1] is not None
    assert results[0].final_metrics == pytest.approx(results[1].final_metrics, rel=1e-4)
    store = open_metadata(workspace.cache / "metadata.db")
    open_states = {mlmd.Execution.RUNNING, mlmd.Execution.NEW}
    assert not open_states & {run.last_known_state for run in store.get_executions()}
