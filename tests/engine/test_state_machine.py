"""Random interleavings of people, worker, crashes and runs never break what must always hold."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from engine.errors import NotAllowed, NotFound
from engine.experiments import ExperimentService
from engine.lease import Lease
from engine.scheduling import RETRY_SECONDS, Scheduler
from engine.states import ACTIVE, TERMINAL
from engine.store import experiments, leases, open_database
from engine.store.models import ExperimentRow
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import (
    DISK_FULL,
    ScriptedBackend,
    at_component,
    ended,
    metrics_of,
)

LEGAL = {
    "submitting": {"submitting", "running", "completed", "failed", "cancelled"},
    "running": {"running", "completed", "failed", "cancelled"},
    **{status: {status} for status in TERMINAL},
}
"""What may be seen after each status; a fast run is never seen running."""


class Lifecycle(RuleBasedStateMachine):
    numbers = Bundle("numbers")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = open_database(f"sqlite:///{self.folder.name}/towerlab.db")
        self.backend = ScriptedBackend(capacity=2)
        self.backend.poll_seconds = 0.0
        self.people = self.service(None)
        self.now = 0.0
        self.restart()
        self.seen = {}
        self.uids = {}
        self.verdicts = {}
        self.cancel_asked, self.delete_asked = set(), set()

    def service(self, lease):
        backends, cache = {"local": self.backend}, Path(self.folder.name)
        return ExperimentService(self.database, backends, SamplePlanner(), cache, lease)

    def teardown(self):
        self.settle()
        self.database.close()
        self.folder.cleanup()

    @rule(target=numbers, epochs=st.integers(1, 3))
    def create(self, epochs):
        number = self.people.create_quick_test(REQUEST.replace(epochs=epochs))
        assert number not in self.seen
        return self.note_uid(number)

    @rule(target=numbers, parent=numbers)
    def rerun(self, parent):
        try:
            number = self.people.rerun_quick_test(parent, {"epochs": "2"})
        except NotFound:
            assert parent in self.delete_asked
            return parent
        except NotAllowed:
            assert self.seen[parent] in ACTIVE
            return parent
        return self.note_uid(number)

    @rule(number=numbers)
    def cancel(self, number):
        try:
            self.people.cancel_quick_test(number)
            self.cancel_asked.add(number)
        except NotFound:
            assert number in self.delete_asked
        except NotAllowed:
            assert self.seen[number] in TERMINAL

    @rule(number=consumes(numbers))
    def delete(self, number):
        try:
            self.people.delete_quick_test(number)
        except NotFound:
            assert number in self.delete_asked
        if self.seen.get(number) in ACTIVE:
            self.cancel_asked.add(number)
        self.delete_asked.add(number)

    @rule()
    def tick(self):
        self.scheduler.tick()

    @rule()
    def restart(self):
        """The worker was killed; the next one knows only what was stored."""
        with self.database.write() as session:
            leases.release(session, leases.current_epoch(session))
        lease = Lease.take(self.database)
        assert lease is not None
        backends, service = {"local": self.backend}, self.service(lease)
        self.scheduler = Scheduler(self.database, backends, service, clock=lambda: self.now)

    @rule(seconds=st.sampled_from([0.0, 1.0, RETRY_SECONDS]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(full=st.booleans())
    def disk(self, full):
        self.backend.refusal = DISK_FULL if full else None

    @rule(data=st.data(), outcome=st.sampled_from(["on", "completed", "failed", "vanished"]))
    def run_goes_on(self, data, outcome):
        # In the order of their start: uids are random, and an example must replay alike.
        live = [u for u, r in self.backend.runs.items() if r.phase in ("starting", "running")]
        if not live:
            return
        uid = data.draw(st.sampled_from(live))
        if outcome == "on":
            self.backend.put(uid, at_component(data.draw(st.integers(0, 4))))
        elif outcome == "vanished":
            self.end(uid, at_component(3).replace(phase="vanished"))
        else:
            self.end(uid, ended(outcome))

    @rule()
    def runs_hear_of_cancels(self):
        for uid in [uid for uid in self.backend.runs if uid in self.backend.cancelled]:
            if self.backend.status(uid).phase in ("starting", "running"):
                self.end(uid, ended("cancelled"))

    def end(self, uid, run):
        self.verdicts[uid] = run.phase
        if run.phase == "completed":
            self.backend.results[uid] = metrics_of()
        self.backend.put(uid, run)

    def note_uid(self, number):
        with self.database.read() as session:
            self.uids[number] = experiments.track(session, number).uid
        self.seen[number] = "submitting"
        return number

    @invariant()
    def statuses_follow_the_state_machine(self):
        for number, row in self.rows().items():
            assert row.status in LEGAL[self.seen[number]], (number, self.seen[number], row.status)
            self.seen[number] = row.status

    @invariant()
    def verdicts_rest_on_evidence(self):
        for number, row in self.rows().items():
            verdict = self.verdicts.get(row.uid)
            if row.status == "completed":
                assert verdict == "completed"
                assert row.recall_at_100 == 0.2
            elif row.status == "failed":
                assert verdict in ("failed", "vanished")
                assert row.error_message
            elif row.status == "cancelled":
                assert number in self.cancel_asked
                assert verdict in (None, "cancelled", "vanished")
            assert (row.ended_at is not None) == (row.status in TERMINAL)

    @invariant()
    def no_experiment_is_lost(self):
        missing = set(self.seen) - set(self.rows())
        assert missing <= self.delete_asked

    @invariant()
    def nothing_is_started_twice_or_beyond_the_capacity(self):
        submitted = [spec.uid for spec in self.backend.submissions]
        assert len(submitted) == len(set(submitted))
        live = [r for r in self.backend.runs.values() if r.phase in ("starting", "running")]
        assert len(live) <= self.backend.capacity

    def rows(self):
        with self.database.read() as session:
            return {row.number: row for row in session.query(ExperimentRow)}

    def settle(self):
        """When every run has come to an end, nothing stays active and what was deleted is gone."""
        self.backend.refusal = None
        self.now += RETRY_SECONDS
        for _ in range(4 * len(self.seen) + 4):
            self.scheduler.tick()
            for uid, run in list(self.backend.runs.items()):
                if run.phase in ("starting", "running"):
                    self.end(uid, ended("cancelled" if uid in self.backend.cancelled else "failed"))
        self.statuses_follow_the_state_machine()
        self.verdicts_rest_on_evidence()
        rows = self.rows()
        assert [n for n, row in rows.items() if row.status in ACTIVE] == []
        assert set(rows) == set(self.seen) - self.delete_asked


def examples(count):
    return settings(
        max_examples=count,
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
        suppress_health_check=[HealthCheck.too_slow],
    )


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = examples(15)


@pytest.mark.slow
class TestLongLifecycle(Lifecycle.TestCase):
    settings = examples(300)
