"""A run without TensorFlow, for tests of everything around a run.

Set `[local] run_module = "tests.faults.standin"` in the `config.toml` of a workspace: the real
supervisor (or warm runner) then runs `main` here. It writes what a real run writes, components one
after the other, in about 1.5 s, and adds one line with its uid to `.towerlab/starts.log`, so that
a test can count how often a run was started (`starts`).

How it behaves is told in the description of the model config, as JSON of `Behaviour`; any other
text means the default. `standin_spec` makes a spec for a test that has no definition files.
"""

import json
import logging
import os
import signal
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from engine.spec import (
    Column,
    ExamplesQuery,
    ExperimentSpec,
    Feature,
    FeatureConfig,
    Frozen,
    ModelConfig,
    Tower,
    TrainingParams,
)
from engine.spec.run_folder import (
    COMPONENT_NAMES,
    HISTOGRAMS,
    PROGRESS,
    TRAINING_LOG,
    TRAINING_METRICS,
    Baseline,
    ComponentName,
    EpochRecord,
    GradientNorms,
    Histogram,
    Histograms,
    Interval,
    LossCurves,
    Progress,
    Rows,
    TowerHistograms,
    TrainingMetrics,
    WeightNorms,
)
from pipelines.component_logs import ComponentLog
from pipelines.errors import RunFailure, explain
from pipelines.run_files import ComponentBoard, read_spec, replace_file

MODULE = "tests.faults.standin"
STARTS = "starts.log"

_log = logging.getLogger("pipelines.standin")


class Behaviour(Frozen):
    """What a stand-in run does.

    Attributes:
        seconds: how long it takes, an equal part for each component.
        fails_in: the component that raises an exception.
        signal: the run sends itself this signal in Train.
        stubborn: it ignores SIGTERM.
        leaves_child: it forks a process that would outlive it by a minute.
        fills_disk: it writes in Train until the disk is full.
    """

    seconds: float = 1.5
    fails_in: ComponentName | None = None
    signal: int | None = None
    stubborn: bool = False
    leaves_child: bool = False
    fills_disk: bool = False


def standin_spec(
    uid: str, behaviour: Behaviour | None = None, *, epochs: int = 3
) -> ExperimentSpec:
    """Return a valid spec whose run behaves like this."""
    columns = (
        Column(name="buyer", type="STRING"),
        Column(name="product", type="STRING"),
        Column(name="row_key", type="INT64"),
    )
    return ExperimentSpec(
        uid=uid,
        number=1,
        dataset="standin",
        examples=ExamplesQuery(
            dialect="duckdb",
            sql="SELECT 'b' AS buyer, 'p' AS product, 1 AS row_key,"
            " unnest(['train', 'eval', 'test']) AS towerlab_split",
            columns=columns,
            buyer="buyer",
            product="product",
            timestamp=None,
            fingerprint="0",
        ),
        features=FeatureConfig(
            name="basic", dataset="standin", buyer=(_id("buyer"),), product=(_id("product"),)
        ),
        model=ModelConfig(
            name="standin",
            description=(behaviour or Behaviour()).model_dump_json(),
            type="retrieval",
            buyer_tower=Tower(),
            product_tower=Tower(),
            output_dim=8,
            learning_rate=0.01,
        ),
        params=TrainingParams(sample_percent=100, epochs=epochs, batch_size=8, learning_rate=0.01),
    )


def starts(state: Path) -> list[str]:
    """Return the uid of each start of a run in a workspace's state folder."""
    path = state / STARTS
    return path.read_text().split() if path.exists() else []


def main(run_folder: Path) -> None:
    """Be the run of one run folder."""
    spec = read_spec(run_folder)
    behaviour = behaviour_of(spec.model.description)
    with (run_folder.parent.parent / STARTS).open("a") as file:
        file.write(f"{spec.uid}\n")
    if behaviour.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour.leaves_child and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    board = ComponentBoard(run_folder)
    for name in COMPONENT_NAMES:
        board.start(name)
        with closing(ComponentLog(run_folder, name).listen()):
            try:
                _log.info("%s starts", name)
                _work(run_folder, spec, behaviour, name)
            except Exception as error:
                board.fail(name)
                cause = explain(error)
                raise RunFailure(cause.message, hint=cause.hint, component=name) from error
            _log.info("%s ends", name)
        outputs = {"examples": (str(run_folder.parent.parent / "cache" / "ExampleGen"),)}
        board.complete(name, cached=False, outputs=outputs if name == "Examples" else {})


def _work(folder: Path, spec: ExperimentSpec, behaviour: Behaviour, name: ComponentName) -> None:
    seconds = behaviour.seconds / len(COMPONENT_NAMES)
    if name == behaviour.fails_in:
        raise ValueError(f"{name} was told to fail\nand says why in a second line")
    if name != "Train":
        time.sleep(seconds)
        return
    if behaviour.signal is not None:
        os.kill(os.getpid(), behaviour.signal)
    if behaviour.fills_disk:
        _fill(folder / "Trainer")
    for epoch in range(spec.params.epochs):
        time.sleep(seconds / spec.params.epochs)
        _record_epoch(folder, epoch, spec.params.epochs)
    histograms = standin_histograms(spec.params.epochs)
    replace_file(folder / HISTOGRAMS, histograms.model_dump_json().encode())
    metrics = standin_metrics(spec.params.epochs)
    replace_file(folder / TRAINING_METRICS, metrics.model_dump_json().encode())


def _record_epoch(folder: Path, epoch: int, epochs: int) -> None:
    record, progress = standin_epoch(epoch, epochs)
    with (folder / TRAINING_LOG).open("a") as file:
        file.write(record.model_dump_json() + "\n")
    replace_file(folder / PROGRESS, progress.model_dump_json().encode())


def standin_epoch(epoch: int, epochs: int) -> tuple[EpochRecord, Progress]:
    """Return what a stand-in run writes after an epoch, counted from 0."""
    now = datetime.now(UTC)
    loss = 1 / (1 + epoch)
    record = EpochRecord(
        epoch=epoch,
        train_loss=loss,
        val_loss=loss,
        total_loss=loss,
        gradient_norm=1.0,
        gradient_norm_query=0.6,
        gradient_norm_candidate=0.8,
        examples_per_second=1000.0,
        ended_at=now,
    )
    progress = Progress(
        phase="training",
        epoch=epoch + 1,
        epochs=epochs,
        step=epoch + 1,
        steps=epochs,
        updated_at=now,
    )
    return record, progress


def standin_metrics(epochs: int) -> TrainingMetrics:
    """Return the metrics that a stand-in run ends with."""
    losses = tuple(1 / (1 + epoch) for epoch in range(epochs))
    ones = (1.0,) * epochs
    norms = WeightNorms(l1=ones, l2=ones)
    recalls = {f"recall_at_{k}": k / 200 for k in (5, 10, 50, 100)}
    difference = Interval(metric="recall_at_100", value=0.1, low=0.05, high=0.15)
    return TrainingMetrics(
        epochs=tuple(range(epochs)),
        loss=LossCurves(train=losses, val=losses, total=losses),
        gradient=GradientNorms(total=ones, query=ones, candidate=ones),
        weight_stats={"query": norms, "candidate": norms},
        final_metrics={
            "loss": losses[-1],
            **recalls,
            **{f"test_{name}": value for name, value in recalls.items()},
        },
        params={"epochs": epochs, "batch_size": 8},
        baseline=Baseline(name="popularity", metrics={"recall_at_100": 0.4}, difference=difference),
        interval=Interval(metric="recall_at_100", value=0.5, low=0.45, high=0.55),
        rows=Rows(train=8_000, eval=1_500, test=500),
        candidates=10,
        unknown_product_share=0.0,
        unknown_buyer_share=0.0,
        seen_in_train_share=0.2,
        vocabulary_sizes={"buyer": 4, "product": 10},
        saved_at=datetime.now(UTC),
    )


def standin_histograms(epochs: int) -> Histograms:
    """Return the histograms that a stand-in run leaves: one weight of each sign."""
    one = Histogram(edges=(-1.0, 0.0, 1.0), counts=((1, 1),) * epochs)
    towers = TowerHistograms(weights=one, gradients=one, layers={"output": one})
    return Histograms(epochs=tuple(range(epochs)), towers={"query": towers, "candidate": towers})


def _fill(path: Path) -> None:
    with path.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def behaviour_of(text: str) -> Behaviour:
    """Return what a model config's description says; any other text means the default."""
    try:
        return Behaviour.model_validate(json.loads(text))
    except (ValueError, ValidationError):
        return Behaviour()


def _id(column: str) -> Feature:
    return Feature(column=column, data_type="text", transforms=("embed",), dim=8, primary=True)
