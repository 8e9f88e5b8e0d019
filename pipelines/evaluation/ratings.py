"""A rating model on the eval and test splits, against the bias baseline on the same rows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.spec.run_folder import CLAIM_LEVEL, LEVEL, Baseline, Interval
from engine.spec.uncertainty import clustered_interval
from pipelines import metrics
from pipelines.errors import RunFailure
from pipelines.evaluation.candidates import Interactions, Numbering, candidates_of
from pipelines.evaluation.result import Evaluation, buyers_of, interval_of, rows_table, shares_of
from pipelines.metrics import Floats, Ratings

PRIMARY = "test_rmse"


class _Rows(NamedTuple):
    """The rows of a split that have a target.

    Attributes:
        labelled: which rows of the split these are `[all rows]`.
        ratings: of those rows.
    """

    labelled: NDArray[np.bool_]
    ratings: Ratings

    def spread(self, values: Floats) -> Floats:
        """Return the values of these rows among NaN for the others `[all rows] float64`."""
        spread = np.full(len(self.labelled), np.nan)
        spread[self.labelled] = values
        return spread


def evaluate_ratings(
    eval_predictions: Floats,
    test_predictions: Floats,
    *,
    train: Interactions,
    validation: Interactions,
    test: Interactions,
    seed: int,
    binary: bool | None = None,
) -> Evaluation:
    """Measure a rating model and the bias baseline. Rows without a target are left out.

    Args:
        eval_predictions: of the eval split, in the target's own unit `[eval rows]`.
        test_predictions: of the test split, likewise `[test rows]`.
        train: the train split.
        validation: the eval split.
        test: the test split.
        seed: of the bootstrap.
        binary: whether `auc_roc` is wanted; by default it is. Only test labels that are 0 and 1,
            both of which occur, have one.

    Raises:
        RunFailure: a split has no row with a target, or a prediction is not a finite number.
    """
    numbering = Numbering(train, candidates_of(train))
    eval_rows = _labelled(validation, numbering, "eval")
    test_rows = _labelled(test, numbering, "test")
    biases = metrics.choose_biases(
        _labelled(train, numbering, "train").ratings,
        eval_rows.ratings,
        buyers=numbering.buyers,
        products=numbering.products,
    )
    model = (
        _finite(eval_predictions[eval_rows.labelled], "eval"),
        _finite(test_predictions[test_rows.labelled], "test"),
    )
    bias = biases.predict(eval_rows.ratings), biases.predict(test_rows.ratings)
    label = test_rows.ratings.label
    clusters = buyers_of(test)[test_rows.labelled]

    def interval(
        statistic: Callable[[Floats], Floats], level: float, *predicted: Floats
    ) -> Interval:
        errors = np.column_stack([metrics.squared_errors(label, of) for of in predicted])
        bounds = clustered_interval(errors, clusters, seed=seed, statistic=statistic, level=level)
        return interval_of(PRIMARY, bounds)

    pairs = numbering.pairs_of(test)
    seen = pairs.among(numbering.train)
    with_auc = binary is not False and metrics.is_binary(label)
    return Evaluation(
        metrics=_measured(eval_rows, test_rows, *model, with_auc=with_auc),
        interval=interval(_root, LEVEL, model[1]),
        baseline=Baseline(
            name="bias",
            metrics=_measured(eval_rows, test_rows, *bias, with_auc=with_auc),
            difference=interval(_difference_of_roots, CLAIM_LEVEL, model[1], bias[1]),
        ),
        references=(),
        new_products=None,
        shares=shares_of(pairs, seen),
        rows_without_target=int(np.count_nonzero(~test_rows.labelled)),
        rows=rows_table(
            test,
            seen,
            {
                "label": test_rows.spread(label),
                "prediction": test_rows.spread(model[1]),
                "bias_prediction": test_rows.spread(bias[1]),
            },
        ),
    )


def _measured(
    eval_rows: _Rows, test_rows: _Rows, eval_own: Floats, test_own: Floats, *, with_auc: bool
) -> dict[str, float]:
    """Return the metrics of predictions of the labelled rows."""
    label = test_rows.ratings.label
    found = {
        "rmse": metrics.rmse(eval_rows.ratings.label, eval_own),
        "mae": metrics.mae(eval_rows.ratings.label, eval_own),
        PRIMARY: metrics.rmse(label, test_own),
        "test_mae": metrics.mae(label, test_own),
    }
    if with_auc:
        found["auc_roc"] = metrics.auc_roc(label, test_own)
    return found


def _labelled(rows: Interactions, numbering: Numbering, split: str) -> _Rows:
    labels = rows.label
    labelled = np.zeros(len(rows.buyer), np.bool_) if labels is None else np.isfinite(labels)
    if labels is None or not labelled.any():
        raise RunFailure(
            f"No row of the {split} split has a value of the target.",
            hint="Choose another target, wider filters, a larger sample or another split.",
        )
    pairs = numbering.pairs_of(rows)
    ratings = Ratings(pairs.buyer[labelled], pairs.product[labelled], labels[labelled])
    return _Rows(labelled, ratings)


def _finite(predictions: Floats, split: str) -> Floats:
    if not np.isfinite(predictions).all():
        raise RunFailure(
            f"The model's predictions of some rows of the {split} split are not finite numbers.",
            hint="Try a smaller learning rate, and look for extreme values in numeric features.",
        )
    return predictions


def _root(means: Floats) -> Floats:
    return np.sqrt(means[..., 0])


def _difference_of_roots(means: Floats) -> Floats:
    return np.sqrt(means[..., 0]) - np.sqrt(means[..., 1])
