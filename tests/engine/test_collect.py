"""`gc`: what no experiment refers to goes, what one refers to stays, nothing during a run."""

import fcntl
import os
import time

import pytest

from engine.collect import RUN_AGE_SECONDS, collect
from engine.errors import NotAllowed
from engine.spec.cache_folder import CACHE_LOCK, MANIFESTS
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import at_component, ended


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    (tmp_path / "config.toml").touch()
    workspace.prepare()
    return workspace


@pytest.fixture
def cache(workspace):
    return workspace.cache


@pytest.fixture
def output(cache):
    def write(path, size=100):
        folder = cache / path
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * size)
        (cache / MANIFESTS).mkdir(exist_ok=True)
        (cache / MANIFESTS / f"{folder.name}.json").write_text("{}")
        return folder

    return write


@pytest.fixture
def experiment(service, backend):
    """Create an experiment that completed with these outputs of ExampleGen."""

    def run(*outputs):
        number = service.create_quick_test(REQUEST)
        service.submit_quick_test(number)
        uid = backend.submissions[-1].uid
        paths = tuple(str(folder) for folder in outputs)
        backend.put(uid, ended("completed", outputs={"Examples": {"examples": paths}}))
        service.poll_experiment_status(number)
        return number

    return run


def age(path, seconds=RUN_AGE_SECONDS + 60):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_outputs_that_nobody_refers_to_go(database, workspace, cache, output, experiment):
    kept, dropped = output("ExampleGen/examples/1"), output("Transform/graph/2", size=300)
    temporary = output("Transform/.system/executor_execution/2", size=7)
    experiment(kept)
    report = collect(database, workspace)
    assert report.freed_bytes == 307
    assert set(report.removed) == {
        "cache/Transform/graph/2",
        "cache/Transform/.system/executor_execution",
    }
    assert kept.is_dir()
    assert not dropped.exists()
    assert not temporary.exists()
    assert [m.stem for m in (cache / MANIFESTS).iterdir()] == ["1"]


def test_output_goes_with_the_last_experiment_that_refers_to_it(
    database, workspace, output, experiment, service
):
    shared = output("ExampleGen/examples/1")
    first, second = experiment(shared), experiment(shared)
    for number, left in ((first, True), (second, False)):
        service.delete_quick_test(number)
        service.poll_experiment_status(number)
        collect(database, workspace)
        assert shared.is_dir() is left


def test_nothing_goes_while_an_experiment_runs(database, workspace, output, service, backend):
    garbage = output("ExampleGen/examples/1")
    number = service.create_quick_test(REQUEST)
    service.submit_quick_test(number)
    backend.put(backend.submissions[0].uid, at_component(1))
    service.poll_experiment_status(number)
    with pytest.raises(NotAllowed, match=f"#{number} is running"):
        collect(database, workspace)
    assert garbage.is_dir()


def test_nothing_goes_while_something_uses_the_cache(database, workspace, cache, output):
    garbage = output("ExampleGen/examples/1")
    with (cache / CACHE_LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotAllowed, match="a run uses the cache"):
            collect(database, workspace)
    assert garbage.is_dir()


def test_run_folders_without_an_experiment_go_after_a_while(
    database, workspace, experiment, backend
):
    experiment()
    owned = workspace.run_folder(backend.submissions[0].uid)
    orphan, young = workspace.run_folder("0" * 16), workspace.run_folder("1" * 16)
    for folder in (owned, orphan, young):
        folder.mkdir()
        (folder / "exit.json").write_text("{}")
    age(owned)
    age(orphan)
    report = collect(database, workspace)
    assert report.removed == (f"runs/{'0' * 16}",)
    assert owned.is_dir()
    assert young.is_dir()


def test_run_folder_that_lives_stays(database, workspace):
    orphan = workspace.run_folder("0" * 16)
    orphan.mkdir()
    with (orphan / "lock").open("w") as lock:
        age(orphan)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert collect(database, workspace).removed == ()
    assert orphan.is_dir()


def test_unused_copies_of_tables_go_unless_an_experiment_waits(
    database, workspace, service, backend
):
    workspace.tables.mkdir()
    copy = workspace.tables / "1-2.parquet"
    copy.write_bytes(b"x" * 5)
    number = service.create_quick_test(REQUEST)
    assert collect(database, workspace, [copy]).removed == ()
    service.submit_quick_test(number)
    backend.put(backend.submissions[0].uid, ended("completed"))
    service.poll_experiment_status(number)
    report = collect(database, workspace, [copy])
    assert report.removed == ("tables/1-2.parquet",)
    assert report.freed_bytes == 5


def test_links_are_not_followed(database, workspace, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_text("gold")
    link = workspace.runs / ("2" * 16)
    link.symlink_to(treasure)
    os.utime(link, (0, 0), follow_symlinks=False)
    collect(database, workspace)
    assert (treasure / "gold").read_text() == "gold"
    assert not link.is_symlink()


def test_collecting_again_finds_nothing(database, workspace, output):
    output("ExampleGen/examples/1")
    collect(database, workspace)
    report = collect(database, workspace)
    assert (report.removed, report.freed_bytes) == ((), 0)
