"""`run_fn`: trains the model, measures it on the test split, exports it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import pipelines.tf_environment

# isort: split
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.analyzers import get_empy_vocabulary_dummy_value
from tfx.components.trainer.fn_args_utils import FnArgs

from engine.spec import ExperimentSpec, SplitName
from engine.spec.run_folder import IndexReport, Rows, TrainingMetrics, Vocabulary
from pipelines.data import Examples, load_splits
from pipelines.epoch_recorder import EpochRecorder
from pipelines.evaluation import (
    Candidates,
    Evaluation,
    candidates_of,
    evaluate_ratings,
    evaluate_retrieval,
    joined,
    recall_alone,
)
from pipelines.index_measurement import measured_index, spread
from pipelines.memory import check_memory
from pipelines.models.index import Recommender, build_index
from pipelines.models.rating import labels_of
from pipelines.models.serving import Candidates as Served
from pipelines.models.serving import ServedModel
from pipelines.models.two_tower import TwoTowerModel, primary_index
from pipelines.recording import RunFolder
from pipelines.scoring import predict, query_vectors, scorer, served_candidates
from pipelines.tensors import all_tensors, safe_name
from pipelines.training import chance_loss, fit, seed_everything
from pipelines.vocabularies import vocabularies

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
    folder.clear()
    folder.progress("loading")
    pipelines.tf_environment.skip_autograph_for_keras()
    seed_everything(spec.params)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    splits = load_splits([*fn_args.train_files, *fn_args.eval_files], spec, transform)
    train = splits["train"]
    candidates = candidates_of(train)
    vocabulary_sizes = _vocabulary_sizes(spec, transform)
    rating = spec.model.rating
    labels = labels_of(train.label, rating.loss, spec.features.target) if rating else None
    # Keras's types make every model a plain Model.
    model = cast(TwoTowerModel, TwoTowerModel(spec, vocabulary_sizes, labels))
    check_memory(model, spec.model, spec.params, vocabulary_sizes)

    def recall() -> float:
        served = served_candidates(model, spec, train, candidates)
        scores = scorer(model, spec, served, splits["eval"])
        return recall_alone(scores, splits["eval"].product, candidates)

    recorder = fit(model, spec, train, splits["eval"], candidates, folder, recall=recall)
    trained = len(recorder.records)
    folder.progress("evaluating", epoch=trained, epochs=epochs)
    served = served_candidates(model, spec, train, candidates) if spec.model.retrieves else None
    evaluation = _evaluate(model, spec, splits, candidates, served)
    _tell(evaluation)
    folder.progress("exporting", epoch=trained, epochs=epochs)
    recommender, index = None, None
    if served is not None:
        recommender, index = _index(model, spec, served, splits)
    ServedModel(spec, transform, model, recommender, candidates.ids).save(fn_args.serving_model_dir)
    folder.write_test_rows(evaluation.rows)
    folder.write_histograms(recorder.histograms())
    folder.write_metrics(
        _metrics(
            spec,
            recorder,
            evaluation,
            Rows(**{split: len(examples.product) for split, examples in splits.items()}),
            len(candidates.ids),
            vocabularies(spec.features, splits, vocabulary_sizes),
            index,
        )
    )


def _evaluate(
    model: TwoTowerModel,
    spec: ExperimentSpec,
    splits: Mapping[SplitName, Examples],
    candidates: Candidates,
    served: Served | None,
) -> Evaluation:
    """Measure what the model's type does; a multitask model does both."""
    train, validation, test = splits["train"], splits["eval"], splits["test"]
    retrieval = served and evaluate_retrieval(
        scorer(model, spec, served, test),
        train=train,
        test=test,
        candidates=candidates,
        seed=spec.params.seed,
    )
    if model.rating is None:
        assert retrieval is not None
        return retrieval
    ratings = evaluate_ratings(
        predict(model, validation),
        predict(model, test),
        train=train,
        validation=validation,
        test=test,
        seed=spec.params.seed,
    )
    if retrieval is None:
        return ratings
    return joined(retrieval, ratings, retrieval_weight=spec.model.retrieval_weight)


def _index(
    model: TwoTowerModel,
    spec: ExperimentSpec,
    served: Served,
    splits: Mapping[SplitName, Examples],
) -> tuple[Recommender, IndexReport]:
    """Return what recommends, and how it does on the test split."""
    asked = {
        split: splits[split].query.take(spread(len(splits[split].product)))
        for split in ("eval", "test")
    }
    queries = {split: query_vectors(model, inputs) for split, inputs in asked.items()}
    index = build_index(served.vectors, spec.model.retrieval, queries["eval"])
    recommender = Recommender(index, served.history)
    buyers = asked["test"].ids[:, primary_index(spec.features.buyer)]
    report = measured_index(recommender, served, queries["test"], buyers)
    _log.info(
        "index: %s over %d products, recall@%d %.3f, %.2f ms a query (brute force %.2f ms)",
        report.kind,
        report.products,
        report.top_k,
        report.recall,
        report.milliseconds,
        report.brute_force_milliseconds,
    )
    return recommender, report


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
    primary, baseline = evaluation.interval, evaluation.baseline
    reference = baseline.metrics[primary.metric]
    _log.info("%s %.4f (%s %.4f)", primary.metric, primary.value, baseline.name, reference)
    if evaluation.shares.unknown_product_share:
        _log.warning(
            "%.1f%% of the test rows have a product that train doesn't have: always misses",
            100 * evaluation.shares.unknown_product_share,
        )
    if evaluation.shares.unknown_buyer_share:
        _log.warning(
            "%.1f%% of the test rows have a buyer that train doesn't have",
            100 * evaluation.shares.unknown_buyer_share,
        )


def _metrics(
    spec: ExperimentSpec,
    recorder: EpochRecorder,
    evaluation: Evaluation,
    rows: Rows,
    candidates: int,
    known: dict[str, Vocabulary],
    index: IndexReport | None,
) -> TrainingMetrics:
    loss = recorder.loss()
    return TrainingMetrics(
        model_type=spec.model.type,
        epochs=tuple(range(len(recorder.records))),
        loss=loss,
        gradient=recorder.gradient(),
        weight_stats=recorder.weights(),
        gradient_stats=recorder.gradient_stats(),
        epoch_metrics=recorder.epoch_metrics(),
        stopped_early=len(recorder.records) < spec.params.epochs,
        popularity_prior=spec.model.retrieves and spec.model.retrieval.popularity_prior,
        own_history=spec.model.retrieves and spec.model.retrieval.own_history,
        chance_loss=chance_loss(spec, rows.train),
        best_epoch=recorder.best_epoch,
        final_metrics={"loss": recorder.final_loss, **evaluation.metrics},
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
        rows_without_target=evaluation.rows_without_target,
        vocabulary_sizes={column: found.size for column, found in known.items()},
        vocabularies=known,
        index=index,
        saved_at=datetime.now(UTC),
    )
