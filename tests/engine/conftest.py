from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.experiments import ExperimentService
from engine.scheduling import Scheduler
from engine.store import open_database
from tests.engine.sample_plans import SamplePlanner
from tests.engine.scripted_backend import ScriptedBackend


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path / 'towerlab.db'}")
    yield opened
    opened.close()


@pytest.fixture
def backend():
    return ScriptedBackend()


@pytest.fixture
def planner():
    return SamplePlanner()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def service(database, backend, planner, cache):
    return ExperimentService(database, {"local": backend}, planner, cache)


@pytest.fixture
def scheduler(database, backend, service):
    return Scheduler(database, {"local": backend}, service)


@pytest.fixture
def in_threads():
    """Return what a function returns in as many threads at once."""

    def called(function, threads):
        with ThreadPoolExecutor(threads) as pool:
            return [future.result() for future in [pool.submit(function) for _ in range(threads)]]

    return called
