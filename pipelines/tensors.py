"""The names of the tensors between Transform and the towers, and how wide they are.

A transform of a column gives the same tensor in both towers, so names carry column and transform
only, and a column has one vocabulary.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from engine.spec import Cross, DataType, Feature, FeatureConfig, Transform

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


class Part(NamedTuple):
    """One column of a cross; see `CrossPart`."""

    column: str
    data_type: DataType
    buckets: int | None


class Tensor(NamedTuple):
    """One tensor of the preprocessing function's output, read by one or both towers.

    Attributes:
        column: the raw column that it is made of; those of a cross as "age × city".
        data_type: how the column is read.
        transform: what is done with it.
        buckets: number of buckets of `bucketize`, or of hashes of `cross`, else None.
        parts: of a cross.
        vocabulary: the column whose ids a history lists.
        length: how many of them count, the last ones.
    """

    column: str
    data_type: DataType | Literal["cross"]
    transform: Transform | Literal["cross"]
    buckets: int | None
    parts: tuple[Part, ...] = ()
    vocabulary: str | None = None
    length: int | None = None

    @classmethod
    def of_json(cls, fields: Sequence[Any]) -> "Tensor":
        """Return the tensor that became a JSON list."""
        tensor = cls(*fields)
        return tensor._replace(parts=tuple(Part(*part) for part in tensor.parts))

    @property
    def name(self) -> str:
        """Key in the preprocessing function's output."""
        size = self.buckets or self.length
        suffix = f"_{size}" if size else ""
        # Where a dash stands for itself, no other follows: no column's name looks like that.
        crossed = (f"{safe_name(p.column)}{f'-{p.buckets}' * bool(p.buckets)}" for p in self.parts)
        return f"{'.'.join(crossed) or safe_name(self.column)}.{self.transform}{suffix}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it is made of."""
        if self.vocabulary is not None:
            return self.column, self.vocabulary
        return tuple(part.column for part in self.parts) or (self.column,)

    @property
    def embedded(self) -> bool:
        """Whether it holds ids `[batch] int64` to embed.

        Else it holds values `[batch, width] float32`, or those of a history `[batch, width] int64`.
        """
        return self.transform in ("embed", "bucketize", "cross")

    @property
    def width(self) -> int:
        """How many numbers a row has: 2 for sin and cos, `length` ids of a history, else 1."""
        if self.length is not None:
            return self.length
        return 2 if self.transform.startswith("cyclical_") else 1


def feature_tensors(feature: Feature | Cross) -> tuple[Tensor, ...]:
    """Return the tensors of a feature, one for each of its transforms; a cross has one."""
    if isinstance(feature, Cross):
        parts = tuple(Part(part.column, part.data_type, part.buckets) for part in feature.parts)
        return (Tensor(feature.column, "cross", "cross", feature.buckets, parts),)
    return tuple(
        Tensor(
            feature.column,
            feature.data_type,
            transform,
            feature.buckets if transform == "bucketize" else None,
            vocabulary=feature.vocabulary,
            length=feature.max_length,
        )
        for transform in feature.transforms
    )


def tower_tensors(features: Iterable[Feature | Cross]) -> tuple[Tensor, ...]:
    """Return the tensors of one tower in the order in which they are concatenated."""
    return tuple(tensor for feature in features for tensor in feature_tensors(feature))


def all_tensors(config: FeatureConfig) -> tuple[Tensor, ...]:
    """Return every tensor that some tower reads, once, ordered by name."""
    both = {*tower_tensors(config.buyer_inputs), *tower_tensors(config.product_inputs)}
    return tuple(sorted(both, key=lambda tensor: tensor.name))


def safe_name(column: str) -> str:
    """Return a column's name with all but ASCII letters, digits and `_` as `-hex-`.

    TensorFlow refuses other characters in scopes, and TFT makes them `_` in file names, where two
    columns could meet.
    """
    return _UNSAFE.sub(lambda found: f"-{ord(found[0]):x}-", column)
