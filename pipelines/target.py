"""What is done with a target before a model learns it, and undone with what it predicts.

The labels of train decide percentiles, mean and standard deviation. Since the Trainer applies this,
not Transform, another target doesn't read and transform the examples anew.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.spec import Target
from pipelines.errors import RunFailure

Labels = TypeVar("Labels", NDArray[np.floating[Any]], tf.Tensor)
"""`[rows]`, as an array or as a tensor."""


@dataclass(frozen=True)
class TargetTransform:
    """Clip, then log(1 + x), then z-score; each step may be absent.

    Attributes:
        column: the target's.
        low: the least label after clipping, in the target's own unit.
        high: the greatest one, likewise.
        log1p: whether the logarithm is taken.
        mean: what is subtracted then; 0 where nothing is.
        scale: what that is divided by; 1 where nothing is, and where train's labels are all equal.
    """

    column: str
    low: float = -np.inf
    high: float = np.inf
    log1p: bool = False
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, target: Target, train_label: NDArray[np.float32]) -> "TargetTransform":
        """Return the transform that train's labels decide.

        Args:
            target: what is asked for.
            train_label: in the target's own unit `[rows]`; what is not finite doesn't count.

        Raises:
            RunFailure: there is no label, or one of which the logarithm doesn't exist.
        """
        known = train_label[np.isfinite(train_label)].astype(np.float64)
        if len(known) == 0:
            raise RunFailure(
                "No row of the train split has a target to learn from.",
                hint="Choose another target column, or a larger sample.",
            )
        low, high = np.percentile(known, target.clip) if target.clip else (-np.inf, np.inf)
        fitted = cls(target.column, float(low), float(high), target.log1p)
        if not target.normalize:
            return fitted
        steps = fitted.forward(known)
        deviation = float(steps.std())
        # Equal labels differ by rounding once they are logarithms.
        varies = float(np.ptp(known.clip(low, high))) > 0
        return cls(
            target.column, float(low), float(high), target.log1p,
            float(steps.mean()), deviation if varies else 1.0,
        )  # fmt: skip

    def forward(self, labels: Labels) -> Labels:
        """Return what the model learns; NaN stays NaN.

        Args:
            labels: in the target's own unit.

        Raises:
            RunFailure: the logarithm of one in an array doesn't exist; that of a tensor is NaN.
        """
        values: Any = labels
        if tf.is_tensor(values):
            values = tf.clip_by_value(values, self.low, self.high)
            values = tf.math.log1p(values) if self.log1p else values
        else:
            values = np.clip(values, self.low, self.high)
            if self.log1p:
                self._check_logarithms(values)
                values = np.log1p(values)
        return (values - self.mean) / self.scale

    def inverse(self, predicted: Labels) -> Labels:
        """Return predictions of the model in the target's own unit; what was clipped stays so."""
        values: Any = predicted * self.scale + self.mean
        if not self.log1p:
            return values
        return tf.math.expm1(values) if tf.is_tensor(values) else np.expm1(values)

    def _check_logarithms(self, values: NDArray[np.floating[Any]]) -> None:
        least = np.nanmin(values, initial=np.inf)
        if least <= -1:
            raise RunFailure(
                f'The target "{self.column}" has values down to {least:g}; log(1 + x) needs '
                "values above -1.",
                hint="Take log1p out of the target, or clip it at a percentile above -1.",
            )
