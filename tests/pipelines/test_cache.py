"""The shared cache: only what is whole stays live in ML Metadata."""

import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engine.spec.cache_folder import MANIFESTS, METADATA, Manifest
from pipelines.cache import SharedCache, open_metadata
from tests.faults.waiting import wait_for


@pytest.fixture
def cache(tmp_path: Path) -> SharedCache:
    (tmp_path / "cache").mkdir()
    cache = SharedCache(tmp_path / "cache", runs=tmp_path / "runs")
    cache.prepare()
    return cache


def add_artifact(cache: SharedCache, path: Path) -> Path:
    """Put an artifact of two files on disk and, live, into ML Metadata."""
    (path / "Split-train").mkdir(parents=True)
    (path / "Split-train" / "data").write_bytes(b"12345")
    (path / "schema").write_bytes(b"123")
    store = open_metadata(cache.metadata_path)
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Examples"))
    artifact = mlmd.Artifact(type_id=kind, uri=str(path), state=mlmd.Artifact.LIVE)
    store.put_artifacts([artifact])
    return path


def live(cache: SharedCache) -> set[str]:
    return {
        artifact.uri
        for artifact in open_metadata(cache.metadata_path).get_artifacts()
        if artifact.state == mlmd.Artifact.LIVE
    }


@pytest.fixture
def artifact(cache: SharedCache) -> Path:
    """A whole artifact."""
    path = add_artifact(cache, cache.folder / "ExampleGen" / "examples" / "1")
    cache.add(1, "Examples", [str(path)])
    return path


def test_a_manifest_has_the_size_of_each_file(cache: SharedCache, artifact: Path):
    text = (cache.folder / MANIFESTS / "1.json").read_text()
    assert Manifest.model_validate_json(text) == Manifest(
        execution_id=1,
        component="Examples",
        artifacts={"ExampleGen/examples/1": {"Split-train/data": 5, "schema": 3}},
    )


def test_what_is_whole_stays(cache: SharedCache, artifact: Path):
    cache.prepare()
    cache.prepare()
    assert live(cache) == {str(artifact)}


def test_what_has_no_manifest_is_retired(cache: SharedCache, artifact: Path):
    add_artifact(cache, cache.folder / "ExampleGen" / "examples" / "2")
    cache.prepare()
    assert live(cache) == {str(artifact)}


@pytest.mark.parametrize("damage", ["truncated", "missing", "additional", "gone", "manifest"])
def test_what_changed_is_retired(cache: SharedCache, artifact: Path, damage: str):
    data = artifact / "Split-train" / "data"
    match damage:
        case "truncated":
            data.write_bytes(b"1234")
        case "missing":
            data.unlink()
        case "additional":
            (artifact / "more").write_bytes(b"")
        case "gone":
            artifact.rename(artifact.with_name("elsewhere"))
        case _:
            (cache.folder / MANIFESTS / "1.json").write_text('{"execution_id": 1')
    cache.prepare()
    assert live(cache) == set()
    assert not (cache.folder / MANIFESTS / "1.json").exists()


def test_an_execution_counts_as_a_whole(cache: SharedCache, artifact: Path):
    second = add_artifact(cache, cache.folder / "Transform" / "graph" / "2")
    third = add_artifact(cache, cache.folder / "Transform" / "metadata" / "2")
    cache.add(2, "Transform", [str(second), str(third)])
    (third / "schema").unlink()
    cache.prepare()
    assert live(cache) == {str(artifact)}


def test_artifacts_of_a_copied_workspace_are_retired_and_those_of_runs_are_not(
    cache: SharedCache, artifact: Path, tmp_path: Path
):
    add_artifact(cache, tmp_path / "another workspace" / "cache" / "1")
    owned = add_artifact(cache, tmp_path / "runs" / "0123" / "Trainer" / "model" / "5")
    cache.prepare()
    assert live(cache) == {str(artifact), str(owned)}


def test_executions_of_dead_runs_do_not_run_for_ever(cache: SharedCache, artifact: Path):
    store = open_metadata(cache.folder / METADATA)
    kind = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    states = mlmd.Execution
    before = [states.RUNNING, states.NEW, states.COMPLETE, states.CACHED, states.FAILED]
    ids = store.put_executions(
        [mlmd.Execution(type_id=kind, last_known_state=state) for state in before]
    )
    cache.prepare()
    after = [execution.last_known_state for execution in store.get_executions_by_id(ids)]
    assert after == [
        *(states.CANCELED, states.CANCELED),
        *(states.COMPLETE, states.CACHED, states.FAILED),
    ]


def test_another_process_waits_for_the_lock(cache: SharedCache):
    code = (
        "import sys; from pathlib import Path; from pipelines.cache import SharedCache\n"
        "with SharedCache(Path(sys.argv[1]), Path()).locked(): print('got it', flush=True)"
    )
    with cache.locked():
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(cache.folder)], stdout=subprocess.PIPE, text=True
        )
        wait_for(lambda: _waits_for_a_lock(other.pid))
    assert other.communicate(timeout=20)[0] == "got it\n"


def _waits_for_a_lock(pid: int) -> bool:
    locks = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[1] == "->" and str(pid) in line.split() for line in locks)
