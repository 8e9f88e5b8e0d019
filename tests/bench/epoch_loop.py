"""Examples a second while training: stock TFRS, this product's loop, and its default model.

Each side is a process of its own, because the first step of one must not be the second of another.
Rows are those of the script, 10% of the households; the first epoch doesn't count.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.measuring import run

EPOCHS = 3
SIDES = ("stock", "same", "default")
BATCH_SIZE = 4096


def figures(repeats: int) -> dict[str, float]:
    """Return the examples a second of each side, and what they learnt."""
    from engine.demo import prepare_workspace

    with tempfile.TemporaryDirectory(prefix="towerlab-bench-") as folder:
        (Path(folder) / "config.toml").touch()
        prepare_workspace(Path(folder), lambda table: None)
        measured: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _ in range(repeats):
            for side in SIDES:
                command = [sys.executable, "-m", "tests.bench.epoch_loop", side, folder]
                measured[side].append(json.loads(run(command).splitlines()[-1]))
    speed = {side: statistics.median(m["speed"] for m in found) for side, found in measured.items()}
    losses = {side: found[0]["loss"] for side, found in measured.items()}
    apart = max(abs(a / b - 1) for a, b in zip(losses["stock"], losses["same"], strict=True))
    return {
        "epoch loop: stock TFRS, examples/s": speed["stock"],
        "epoch loop: same model and loss, examples/s": speed["same"],
        "epoch loop: same / stock (budget at least 1.5)": speed["same"] / speed["stock"],
        "epoch loop: largest difference of the loss curves, %": 100 * apart,
        "epoch loop: the product's defaults, examples/s": speed["default"],
        "epoch loop: defaults / stock (budget at least 4)": speed["default"] / speed["stock"],
        "epoch loop: recall_at_100, stock": measured["stock"][0]["recall"],
        "epoch loop: recall_at_100, same": measured["same"][0]["recall"],
        "epoch loop: recall_at_100, defaults": measured["default"][0]["recall"],
    }


def _stock(folder: Path) -> dict[str, Any]:
    from tests.bench import reference

    tf = reference.tf

    (train, validation, test), vocabularies = _data(folder)
    model = reference.TwoTowers("retrieval", vocabularies)
    model.compile(tf.keras.optimizers.Adam(0.003))
    steps = -(-len(train["product_id"]) // BATCH_SIZE)
    clock = _clock(tf)(steps)
    model.fit(
        train,
        train[reference.LABEL],
        validation_data=(validation, validation[reference.LABEL]),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[clock],
    )
    products = reference.candidates(train)
    vectors = model.candidate.predict(products, batch_size=8192, verbose=0)
    recall = reference.recall(model, products, vectors, test)["recall_at_100"]
    return {
        "speed": len(train["product_id"]) / min(clock.seconds[1:]),
        "loss": [total / len(train["product_id"]) for total in clock.losses],
        "recall": recall,
    }


def _clock(tf: Any) -> type:
    class Clock(tf.keras.callbacks.Callback):
        """Times the steps of each epoch, its validation aside."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps
            self.seconds: list[float] = []
            self.losses: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.losses.append(0.0)
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.losses[-1] += logs["loss"]  # TFRS's sum over the batch
            if batch + 1 == self.steps:
                self.seconds.append(time.perf_counter() - self.begun)

    return Clock


def _data(folder: Path) -> tuple[list[dict], dict[str, list[str]]]:
    from tests.bench import reference

    rng = np.random.default_rng(0)
    rows = reference.sample(reference.read(folder / "data"), 10, "retrieval", rng)
    return reference.lookup(reference.split(rows, rng))


def _ours(folder: Path, *, same: bool) -> dict[str, Any]:
    from engine.api import Engine
    from engine.demo import request
    from engine.workspace import Workspace

    # isort: split
    import pipelines.tf_environment

    # isort: split
    import tensorflow as tf

    from pipelines import evaluation, metrics
    from pipelines.models.two_tower import TwoTowerModel
    from pipelines.recording import RunFolder
    from pipelines.scoring import scorer, served_candidates
    from pipelines.training import fit

    model_config = "retrieval-standard" if same else "retrieval-sum"
    with Engine(Workspace(folder), start_worker=False) as engine:
        spec = engine.plan(request("basic", model_config)).spec("0" * 16, 1)
    spec = spec.replace(params=spec.params.replace(epochs=EPOCHS))
    if same:
        retrieval = spec.model.retrieval.replace(softmax_group=None, popularity_prior=False)
        spec = spec.replace(
            model=spec.model.replace(row_wise=False, retrieval=retrieval),
            params=spec.params.replace(batch_size=BATCH_SIZE, learning_rate=0.003),
        )
    splits, vocabularies = _data(folder)
    train, validation, test = (_examples(ids, vocabularies) for ids in splits)
    pipelines.tf_environment.skip_autograph_for_keras()
    tf.keras.utils.set_random_seed(0)
    model = TwoTowerModel(spec, {column: len(tokens) for column, tokens in vocabularies.items()})
    candidates = evaluation.candidates_of(train)
    run_folder = folder / "run"
    run_folder.mkdir(exist_ok=True)
    recorder = fit(model, spec, train, validation, candidates, RunFolder(str(run_folder)))
    served = served_candidates(model, spec, train, candidates)
    ranks, _ = metrics.rank_candidates(
        scorer(model, spec, served, test),
        candidates.index_of(test.product),
        len(candidates.ids),
        np.zeros(len(test.product), np.bool_),
    )
    return {
        "speed": max(record.examples_per_second for record in recorder.records[1:]),
        "loss": [record.train_loss for record in recorder.records],
        "recall": metrics.recalls(ranks)["recall_at_100"],
    }


def _examples(ids: dict[str, Any], vocabularies: dict[str, list[str]]) -> Any:
    from pipelines.data import Examples, TowerInput
    from tests.bench import reference

    def names(column: str) -> Any:
        return np.array([b"", *(t.encode() for t in vocabularies[column])], object)[ids[column]]

    rows = len(ids["product_id"])
    query, candidate = (
        TowerInput(np.stack([ids[c] for c in columns], axis=1), np.zeros((rows, 0), np.float32))
        for columns in (reference.BUYER, reference.PRODUCT)
    )
    order = np.arange(rows)
    return Examples(names("household_id"), names("product_id"), order, order, query, candidate)


if __name__ == "__main__":
    side, where = sys.argv[1], Path(sys.argv[2])
    measured = _stock(where) if side == "stock" else _ours(where, same=side == "same")
    print(json.dumps(measured))
