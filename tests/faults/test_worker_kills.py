"""`kill -9` at random moments of worker, warm runner, supervisor and run, with real processes.

No experiment is lost, none is started twice, each ends as its run's verdict says, and all of it
within 30 s of the next command.
"""

import random
import signal
import subprocess
import sys
import time

import pytest

from engine.api import Engine
from engine.backends.run_reading import read_status, read_supervisor
from engine.processes import ProcessIdentity, send_signal
from engine.snapshots import ExperimentDetail
from engine.store import leases, open_database
from engine.workspace import Workspace
from tests.contracts.local_workspace import kill_all, processes_of, run_of, standin_workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner, plan_of
from tests.faults.standin import Behaviour, starts
from tests.faults.waiting import wait_for

FEW, MANY = 5, 25
"""Rounds with a warm runner, and without one, in `make test` and in `make test-full`."""

RECOVERY_SECONDS = 30
RUN_SECONDS = 0.6

rounds = pytest.mark.parametrize(
    "seed",
    [
        *range(FEW),
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(FEW, MANY)),
    ],
)


class StandinPlanner(SamplePlanner):
    """Plans short stand-in runs."""

    def plan(self, request):
        plan = plan_of(request)
        behaviour = Behaviour(seconds=RUN_SECONDS).model_dump_json()
        return plan.replace(model=plan.model.replace(description=behaviour))


@pytest.fixture(scope="module", params=[True, False], ids=["warm", "cold"])
def workspace(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("worker-kills")
    workspace = standin_workspace(root, warm_runner=request.param)
    yield workspace
    for process in worker_of(workspace):
        send_signal(process, signal.SIGKILL)
    kill_all(workspace)


@pytest.fixture
def engine(workspace):
    with Engine(workspace, planner=StandinPlanner()) as engine:
        yield engine


def worker_of(workspace: Workspace) -> list[ProcessIdentity]:
    """Return the worker's process, if one lives."""
    database = open_database(workspace.database_url)
    with database.read() as session:
        owner = leases.read(session).process
    database.close()
    return [owner] if owner is not None and owner.is_alive() else []


def everything_that_lives(workspace: Workspace) -> list[ProcessIdentity]:
    """Return worker, warm runner, supervisors and runs."""
    modules = ("pipelines.warm", "pipelines.supervise")
    return worker_of(workspace) + [p for m in modules for p in processes_of(workspace, m)]


def kill_some(workspace: Workspace, rng: random.Random) -> None:
    living = everything_that_lives(workspace)
    for victim in rng.sample(living, rng.randint(min(1, len(living)), len(living))):
        send_signal(victim, signal.SIGKILL)


def check_end(workspace: Workspace, shown: ExperimentDetail) -> None:
    """An experiment's status is its run's verdict; without one it was interrupted."""
    verdict = read_status(workspace.run_folder(shown.uid)).phase
    assert starts(workspace.state).count(shown.uid) <= 1
    if verdict == "vanished":
        assert shown.status == "failed"
        assert shown.error is not None
        assert "interrupted" in shown.error.message
    else:
        assert shown.status == verdict
    if shown.status == "completed":
        assert shown.metrics.recall_at_100 == 0.5


@rounds
def test_experiments_survive_kills_at_random_moments(workspace, engine, seed):
    rng = random.Random(seed)
    numbers = [engine.create(REQUEST).number for _ in range(2)]
    for _ in range(rng.randint(1, 2)):
        time.sleep(rng.uniform(0.0, 3 * RUN_SECONDS))  # the moment is what is random
        kill_some(workspace, rng)
        engine.list_experiments()  # the next command
    resumed = time.monotonic()
    wait_for(
        lambda: all(engine.get(number).ended for number in numbers),
        seconds=RECOVERY_SECONDS,
        what="the end of every experiment",
    )
    assert time.monotonic() - resumed < RECOVERY_SECONDS
    for number in numbers:
        check_end(workspace, engine.get(number))


def test_kills_of_worker_and_warm_runner_cost_no_run(workspace, engine):
    number = engine.create(REQUEST).number
    for _ in range(3):
        wait_for(lambda: worker_of(workspace) or engine.get(number).ended)
        for process in worker_of(workspace):
            send_signal(process, signal.SIGKILL)
        for process in warm_runners(workspace, engine.get(number).uid):
            send_signal(process, signal.SIGKILL)
        engine.list_experiments()
    wait_for(lambda: engine.get(number).ended, seconds=RECOVERY_SECONDS)
    assert engine.get(number).status == "completed"
    check_end(workspace, engine.get(number))


def warm_runners(workspace: Workspace, uid: str) -> list[ProcessIdentity]:
    """Return the warm runner, without the supervisor and the run that it forked."""
    supervisor = read_supervisor(workspace.run_folder(uid))
    if supervisor is None:
        return []
    run = run_of(supervisor)
    of_the_run = {supervisor.pid, run.pid if run else None}
    return [p for p in processes_of(workspace, "pipelines.warm") if p.pid not in of_the_run]


def test_worker_outlives_the_process_that_started_it(workspace):
    code = (
        "import os, signal\nfrom engine.api import Engine\nfrom engine.workspace import Workspace\n"
        "from pathlib import Path\nfrom tests.engine.sample_plans import REQUEST\n"
        "from tests.faults.test_worker_kills import StandinPlanner\n"
        f"engine = Engine(Workspace(Path({str(workspace.root)!r})), planner=StandinPlanner())\n"
        "print(engine.create(REQUEST).number, flush=True)\n"
        "os.killpg(0, signal.SIGKILL)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    with Engine(workspace, start_worker=False) as engine:
        number = int(run.stdout)
        wait_for(lambda: engine.get(number).ended, seconds=RECOVERY_SECONDS)
        assert engine.get(number).status == "completed"


def test_two_commands_at_once_lead_to_one_worker(workspace, engine):
    for process in worker_of(workspace):
        send_signal(process, signal.SIGTERM)
        wait_for(lambda process=process: not process.is_alive())
    engines = [Engine(workspace, planner=StandinPlanner()) for _ in range(3)]
    numbers = [each.create(REQUEST).number for each in engines]
    wait_for(lambda: all(engine.get(n).ended for n in numbers), seconds=RECOVERY_SECONDS)
    assert {engine.get(n).status for n in numbers} == {"completed"}
    assert len(processes_of(workspace, "engine.worker")) == 1
    for each in engines:
        each.close()


def test_sigterm_lets_the_worker_leave_cleanly(workspace, engine):
    number = engine.create(REQUEST).number
    (worker,) = wait_for(lambda: worker_of(workspace))
    wait_for(lambda: engine.get(number).status != "submitting")
    send_signal(worker, signal.SIGTERM)
    wait_for(lambda: not worker.is_alive(), seconds=10)
    database = open_database(workspace.database_url)
    with database.read() as session:
        assert leases.read(session).process is None
    database.close()
    wait_for(lambda: engine.get(number).ended, seconds=RECOVERY_SECONDS)
    assert engine.get(number).status == "completed"
