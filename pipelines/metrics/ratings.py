"""Errors of predicted targets, and how well predictions order binary ones."""

import numpy as np
from scipy.stats import rankdata

from pipelines.metrics.ranks import Floats


def rmse(labels: Floats, predictions: Floats) -> float:
    """Return the root of the mean squared error, in the labels' unit."""
    return float(np.sqrt(np.mean(squared_errors(labels, predictions))))


def mae(labels: Floats, predictions: Floats) -> float:
    """Return the mean absolute error, in the labels' unit."""
    return float(np.mean(np.abs(_errors(labels, predictions))))


def squared_errors(labels: Floats, predictions: Floats) -> Floats:
    """Return the squared error of each row `[rows] float64`."""
    return _errors(labels, predictions) ** 2


def is_binary(labels: Floats) -> bool:
    """Return whether the labels are 0 and 1, both of which occur."""
    return np.array_equal(np.unique(labels), [0, 1])


def auc_roc(labels: Floats, predictions: Floats) -> float:
    """Return the chance that a random 1 is predicted above a random 0; ties count half.

    That is the area under the ROC curve (Hanley and McNeil, "The meaning and use of the area under
    a receiver operating characteristic (ROC) curve", 1982), from the sum of the ones' ranks.

    Args:
        labels: 0 and 1, both of which occur `[rows]`.
        predictions: numbers that grow with the chance of a 1 `[rows]`.
    """
    positive = labels == 1
    ones, zeros = np.count_nonzero(positive), np.count_nonzero(~positive)
    above = rankdata(predictions)[positive].sum() - ones * (ones + 1) / 2
    return float(above / (ones * zeros))


def _errors(labels: Floats, predictions: Floats) -> Floats:
    return np.asarray(predictions, np.float64) - np.asarray(labels, np.float64)
