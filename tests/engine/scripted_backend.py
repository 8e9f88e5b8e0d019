"""`ScriptedBackend`: a backend in memory whose runs do what a test says."""

from datetime import UTC, datetime, timedelta

from engine.backends.base import RunStatus
from engine.errors import EnvironmentNotReady
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    Baseline,
    ComponentState,
    EpochRecord,
    GradientNorms,
    Interval,
    LossCurves,
    Progress,
    Rows,
    RunError,
    TrainingMetrics,
    WeightNorms,
)

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ABSENT = RunStatus(phase="absent")


class ScriptedBackend:
    """Holds a `RunStatus` for each uid; tests set them with `put` and the builders below."""

    name = "local"
    poll_seconds = 0.01
    remote = False

    def __init__(self, *, capacity=1):
        self.capacity = capacity
        self.runs = {}
        self.submissions = []
        self.rounds = []
        self.cancelled = set()
        self.deleted = []
        self.results = {}
        self.trained = {}
        self.flaws = {}
        self.log_entries = {}
        self.files = {}
        self.refusal = None
        self.ready = None

    def put(self, uid, status):
        self.runs[uid] = status

    def check_ready(self):
        if self.ready is not None:
            raise self.ready

    def begin_round(self, uids, watched):
        self.rounds.append((set(uids), set(watched)))

    def submit(self, spec):
        if self.refusal is not None:
            raise self.refusal
        if spec.uid not in self.runs:
            self.submissions.append(spec)
            self.runs[spec.uid] = RunStatus(phase="starting")

    def status(self, uid):
        return self.runs.get(uid, ABSENT)

    def cancel(self, uid):
        self.cancelled.add(uid)

    def delete(self, uid, *, shared=(), unused=()):
        assert self.status(uid).phase not in ("starting", "running")
        self.deleted.append(uid)
        self.runs.pop(uid, None)

    def metrics(self, uid):
        completed = self.status(uid).phase == "completed"
        return self.results.get(uid, metrics_of() if completed else None)

    def flaw(self, uid, name):
        return self.flaws.get((uid, name))

    def epochs(self, uid):
        return self.trained.get(uid, [])

    def logs(self, uid, component, *, limit=50):
        return self.log_entries.get((uid, component), [])[:limit]

    def artifact(self, uid, name):
        return self.files.get((uid, name))

    def artifacts_uri(self, uid):
        return f"memory://{uid}"


DISK_FULL = EnvironmentNotReady("The disk is full.", hint="Free some space.")


def at_component(index, *, progress=None, outputs=None):
    """Return a run whose components before `index` are completed and which is at that one."""
    return RunStatus(
        phase="running",
        components=tuple(
            ComponentState(
                name=name,
                status="completed" if i < index else "running" if i == index else "pending",
                started_at=START + timedelta(seconds=i) if i <= index else None,
                ended_at=START + timedelta(seconds=i + 1) if i < index else None,
                outputs=(outputs or {}).get(name, {}) if i < index else {},
            )
            for i, name in enumerate(COMPONENT_NAMES)
        ),
        progress=progress,
        started_at=START,
    )


def training(epoch, epochs, *, step, steps, outputs=None):
    """Return a run whose Trainer is in an epoch, counted from 1."""
    progress = Progress(
        phase="training", epoch=epoch, epochs=epochs, step=step, steps=steps, updated_at=START
    )
    return at_component(4, progress=progress, outputs=outputs)


def ended(phase, *, error=None, outputs=None):
    """Return a run that has ended after 60 s."""
    return at_component(5, outputs=outputs).replace(
        phase=phase, error=error, ended_at=START + timedelta(seconds=60)
    )


def failure(message="The Trainer ran out of memory.", component="Train"):
    return RunError(component=component, message=message, hint="Use a smaller batch.")


def epoch_records(count):
    """Return epochs whose train loss is 10 minus the epoch."""
    return [
        EpochRecord(
            epoch=i,
            train_loss=10.0 - i,
            val_loss=None if i % 2 else 11.0 - i,
            total_loss=10.5 - i,
            gradient_norm=1.0 + i,
            gradient_norm_query=0.25 + i,
            gradient_norm_candidate=0.75 + i,
            examples_per_second=1000.0,
            ended_at=START + timedelta(seconds=i),
        )
        for i in range(count)
    ]


def metrics_of(epochs=3, *, recall=0.2, popularity=0.15, low=0.03, high=0.07, unknown_buyers=0.1):
    """Return final metrics whose curves follow `epoch_records`."""
    records = epoch_records(epochs)
    difference = Interval(metric="recall_at_100", value=recall - popularity, low=low, high=high)
    return TrainingMetrics(
        epochs=tuple(range(epochs)),
        loss=LossCurves(
            train=tuple(r.train_loss for r in records),
            val=tuple(r.val_loss for r in records),
            total=tuple(r.total_loss for r in records),
        ),
        gradient=GradientNorms(
            total=tuple(r.gradient_norm for r in records),
            query=tuple(r.gradient_norm_query for r in records),
            candidate=tuple(r.gradient_norm_candidate for r in records),
        ),
        weight_stats={
            "query": WeightNorms(l1=(1.0,) * epochs, l2=(2.0,) * epochs),
            "candidate": WeightNorms(l1=(1.0,) * epochs, l2=(2.0,) * epochs),
        },
        final_metrics={
            "loss": 7.5,
            "recall_at_5": 0.05,
            "recall_at_10": 0.08,
            "recall_at_50": 0.16,
            "recall_at_100": recall,
            "test_recall_at_100": recall,
        },
        params={"epochs": epochs, "batch_size": 256, "learning_rate": 0.01},
        popularity_prior=True,
        baseline=Baseline(
            name="popularity", metrics={"recall_at_100": popularity}, difference=difference
        ),
        interval=Interval(
            metric="recall_at_100", value=recall, low=recall - 0.01, high=recall + 0.01
        ),
        rows=Rows(train=801, eval=149, test=500),
        candidates=120,
        unknown_product_share=0.25,
        unknown_buyer_share=unknown_buyers,
        seen_in_train_share=0.4,
        vocabulary_sizes={"item": 120},
        saved_at=START,
    )
