"""The names of the tensors between Transform and the towers, and how wide they are.

A transform of a column gives the same tensor in both towers, so names carry column and transform
only, and a column has one vocabulary.
"""

import re
from typing import NamedTuple

from engine.spec import DataType, Feature, FeatureConfig, Transform

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


class Tensor(NamedTuple):
    """One tensor of the preprocessing function's output, read by one or both towers.

    Attributes:
        column: the raw column that it is made of.
        data_type: how the column is read.
        transform: what is done with it.
        buckets: number of buckets of `bucketize`, else None.
    """

    column: str
    data_type: DataType
    transform: Transform
    buckets: int | None

    @property
    def name(self) -> str:
        """Key in the preprocessing function's output."""
        suffix = f"_{self.buckets}" if self.buckets else ""
        return f"{safe_name(self.column)}.{self.transform}{suffix}"

    @property
    def embedded(self) -> bool:
        """Whether it holds ids `[batch] int64` to embed, not values `[batch, width] float32`."""
        return self.transform in ("embed", "bucketize")

    @property
    def width(self) -> int:
        """How many numbers a row has: 2 for sin and cos, else 1."""
        return 2 if self.transform.startswith("cyclical_") else 1


def feature_tensors(feature: Feature) -> tuple[Tensor, ...]:
    """Return the tensors of a feature, one for each of its transforms."""
    return tuple(
        Tensor(
            feature.column,
            feature.data_type,
            transform,
            feature.buckets if transform == "bucketize" else None,
        )
        for transform in feature.transforms
    )


def tower_tensors(features: tuple[Feature, ...]) -> tuple[Tensor, ...]:
    """Return the tensors of one tower in the order in which they are concatenated."""
    return tuple(tensor for feature in features for tensor in feature_tensors(feature))


def all_tensors(config: FeatureConfig) -> tuple[Tensor, ...]:
    """Return every tensor that some tower reads, once, ordered by name."""
    both = {*tower_tensors(config.buyer), *tower_tensors(config.product)}
    return tuple(sorted(both, key=lambda tensor: tensor.name))


def safe_name(column: str) -> str:
    """Return a column's name with all but ASCII letters, digits and `_` as `-hex-`.

    TensorFlow refuses other characters in scopes, and TFT makes them `_` in file names, where two
    columns could meet.
    """
    return _UNSAFE.sub(lambda found: f"-{ord(found[0]):x}-", column)
