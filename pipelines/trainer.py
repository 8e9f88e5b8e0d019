"""`run_fn`: trains the towers, measures them on the test split, exports the index."""

import logging
import math
from datetime import UTC, datetime
from typing import cast

import pipelines.tf_environment

# isort: split
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray
from tensorflow_transform.analyzers import get_empy_vocabulary_dummy_value
from tfx.components.trainer.fn_args_utils import FnArgs

from engine.spec import ExperimentSpec
from engine.spec.run_folder import Rows, TrainingMetrics, Vocabulary
from pipelines.data import Examples, TowerInput, load_splits
from pipelines.epoch_recorder import EpochRecorder
from pipelines.evaluation import Candidates, Evaluation, candidates_of, evaluate_retrieval
from pipelines.models.index import RetrievalIndex
from pipelines.models.optimizers import optimizer
from pipelines.models.retrieval import Batch, RetrievalModel
from pipelines.models.towers import Tower
from pipelines.recording import RunFolder
from pipelines.tensors import all_tensors, safe_name
from pipelines.vocabularies import vocabularies

_EMBEDDING_BATCH = 8_192
_log = logging.getLogger(__name__)


def run_fn(fn_args: FnArgs) -> None:
    """Train one experiment; TFX calls this.

    Args:
        fn_args: of the Trainer; `custom_config` has the spec as JSON and the run folder.

    Raises:
        RunFailure: a split is empty, or the loss isn't a finite number.
    """
    spec = ExperimentSpec.model_validate_json(fn_args.custom_config["spec"])
    epochs = spec.params.epochs
    folder = RunFolder(fn_args.custom_config["run_folder"])
    folder.clear_epochs()
    folder.progress("loading")
    pipelines.tf_environment.skip_autograph_for_keras()
    tf.keras.utils.set_random_seed(spec.params.seed)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    splits = load_splits([*fn_args.train_files, *fn_args.eval_files], spec, transform)
    train, test = splits["train"], splits["test"]
    candidates = candidates_of(train)
    vocabulary_sizes = _vocabulary_sizes(spec, transform)
    # Keras's types make every model a plain Model.
    model = cast(RetrievalModel, RetrievalModel(spec, vocabulary_sizes))
    recorder = fit(model, spec, train, splits["eval"], candidates, folder)
    folder.progress("evaluating", epoch=epochs, epochs=epochs)
    vectors = _candidate_vectors(model, spec, train, candidates)
    queries = _with_one(_embed(model.query_tower, test.query))
    evaluation = evaluate_retrieval(
        lambda rows: queries[rows] @ vectors.T,
        train=train,
        test=test,
        candidates=candidates,
        seed=spec.params.seed,
    )
    _tell(evaluation)
    folder.progress("exporting", epoch=epochs, epochs=epochs)
    index = RetrievalIndex(
        spec, transform, model.query_tower, candidates=vectors, ids=candidates.ids
    )
    index.save(fn_args.serving_model_dir)
    folder.write_test_rows(evaluation.rows)
    folder.write_histograms(recorder.histograms())
    rows = Rows(**{split: len(examples.product) for split, examples in splits.items()})
    folder.write_metrics(
        _metrics(
            spec,
            recorder,
            evaluation,
            rows,
            len(candidates.ids),
            vocabularies(spec.features, splits, vocabulary_sizes),
        )
    )


def fit(
    model: RetrievalModel,
    spec: ExperimentSpec,
    train: Examples,
    validation: Examples,
    candidates: Candidates,
    folder: RunFolder,
) -> EpochRecorder:
    """Train for the epochs of the spec, writing the run folder's progress and training log.

    Raises:
        RunFailure: the loss isn't a finite number.
    """
    params = spec.params
    rows = len(train.product)
    steps = math.ceil(rows / params.batch_size)
    sample = next(iter(_batches(train, candidates, params.batch_size, shuffle_seed=params.seed)))
    recorder = EpochRecorder(
        folder,
        {"query": model.query_tower, "candidate": model.candidate_tower},
        rows=rows,
        steps_per_epoch=steps,
        epochs=params.epochs,
        gradients=lambda: model.gradients(sample),
    )
    model.compile(
        optimizer(spec.model.optimizer, params.learning_rate, batch_size=params.batch_size)
    )
    _log.info("training on %d rows in %d steps an epoch", rows, steps)
    model.fit(
        _batches(train, candidates, params.batch_size, shuffle_seed=params.seed),
        validation_data=_batches(validation, candidates, params.batch_size),
        epochs=params.epochs,
        callbacks=[recorder],
        verbose=0,
    )
    return recorder


def _batches(
    examples: Examples, candidates: Candidates, batch_size: int, *, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Return `Batch`es, the last one smaller; shuffled anew in every epoch when there is a seed."""
    rows = len(examples.product)
    everything = tf.nest.map_structure(
        tf.constant,
        Batch(
            query=examples.query,
            candidate=examples.candidate,
            probability=candidates.probability_of(examples.product),
        ),
    )
    order = tf.data.Dataset.range(rows)
    if shuffle_seed is not None:
        order = order.shuffle(rows, seed=shuffle_seed)

    def gather(indices: tf.Tensor) -> Batch:
        return tf.nest.map_structure(lambda column: tf.gather(column, indices), everything)

    return order.batch(batch_size).map(gather).prefetch(2)


def _embed(tower: Tower, inputs: TowerInput) -> NDArray[np.float32]:
    """Return the output embeddings `[rows, output_dim]`."""
    embed = tf.function(tower, reduce_retracing=True)
    starts = range(0, len(inputs.ids), _EMBEDDING_BATCH)
    batches = (inputs.take(slice(start, start + _EMBEDDING_BATCH)) for start in starts)
    return np.concatenate([embed(TowerInput(*map(tf.constant, b))).numpy() for b in batches])


def _with_one(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [u, 1]: the last dimension takes a candidate's prior."""
    return np.append(queries, np.ones((len(queries), 1), np.float32), axis=1)


def _candidate_vectors(
    model: RetrievalModel, spec: ExperimentSpec, train: Examples, candidates: Candidates
) -> NDArray[np.float32]:
    """Return [v/temperature, prior] of every candidate; the prior is log q or 0."""
    settings = spec.model.retrieval
    vectors = _embed(model.candidate_tower, train.candidate.take(candidates.latest))
    prior = candidates.log_probability if settings.popularity_prior else np.zeros(len(vectors))
    scaled = vectors / np.float32(settings.temperature)
    return np.append(scaled, prior[:, None].astype(np.float32), axis=1)


def _vocabulary_sizes(spec: ExperimentSpec, transform: tft.TFTransformOutput) -> dict[str, int]:
    """Return the number of tokens that train has of every embedded column."""
    _, placeholder = get_empy_vocabulary_dummy_value(tf.string)
    sizes: dict[str, int] = {}
    for tensor in all_tensors(spec.features):
        if tensor.transform == "embed":
            column = tensor.column
            known = column in transform.raw_feature_spec()
            tokens = transform.vocabulary_by_name(safe_name(column)) if known else []
            sizes[column] = 0 if tokens == [placeholder] else len(tokens)
    return sizes


def _tell(evaluation: Evaluation) -> None:
    _log.info(
        "recall@100 %.4f (popularity %.4f)",
        evaluation.interval.value,
        evaluation.baseline.metrics["recall_at_100"],
    )
    shares = evaluation.shares
    if shares.unknown_product_share:
        _log.warning(
            "%.1f%% of the test rows have a product that train doesn't have: always misses",
            100 * shares.unknown_product_share,
        )
    if shares.unknown_buyer_share:
        _log.warning(
            "%.1f%% of the test rows have a buyer that train doesn't have",
            100 * shares.unknown_buyer_share,
        )


def _metrics(
    spec: ExperimentSpec,
    recorder: EpochRecorder,
    evaluation: Evaluation,
    rows: Rows,
    candidates: int,
    known: dict[str, Vocabulary],
) -> TrainingMetrics:
    loss = recorder.loss()
    return TrainingMetrics(
        epochs=tuple(range(len(recorder.records))),
        loss=loss,
        gradient=recorder.gradient(),
        weight_stats=recorder.weights(),
        gradient_stats=recorder.gradient_stats(),
        epoch_metrics=recorder.epoch_metrics(),
        final_metrics={"loss": loss.train[-1], **evaluation.metrics},
        params={
            "epochs": spec.params.epochs,
            "batch_size": spec.params.batch_size,
            "learning_rate": spec.params.learning_rate,
            "optimizer": spec.model.optimizer,
            "seed": spec.params.seed,
        },
        baseline=evaluation.baseline,
        references=evaluation.references,
        new_products=evaluation.new_products,
        interval=evaluation.interval,
        rows=rows,
        candidates=candidates,
        **evaluation.shares._asdict(),
        vocabulary_sizes={column: found.size for column, found in known.items()},
        vocabularies=known,
        saved_at=datetime.now(UTC),
    )
