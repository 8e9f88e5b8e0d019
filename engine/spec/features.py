"""Resolved features: how a column of the dataset becomes tensors of a tower."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from engine.spec.base import Frozen

DataType = Literal["text", "numeric", "temporal", "history"]
Transform = Literal[
    "embed",
    "normalize",
    "bucketize",
    "cyclical_yearly",
    "cyclical_quarterly",
    "cyclical_monthly",
    "cyclical_weekly",
    "cyclical_daily",
    "average",
]

TRANSFORMS: dict[DataType, tuple[Transform, ...]] = {
    "text": ("embed",),
    "numeric": ("normalize", "bucketize"),
    "temporal": (
        "normalize",
        "cyclical_yearly",
        "cyclical_quarterly",
        "cyclical_monthly",
        "cyclical_weekly",
        "cyclical_daily",
        "bucketize",
    ),
    "history": ("average",),
}
"""The transforms that each data type takes, in the order in which their tensors are joined."""

_EMBEDDING_STEPS = ((50, 8), (500, 16), (5_000, 32), (50_000, 64), (500_000, 96))


def default_dim(cardinality: int) -> int:
    """Return the embedding dimension for a column with this many distinct values."""
    return next((dim for below, dim in _EMBEDDING_STEPS if cardinality < below), 128)


class Feature(Frozen):
    """One feature of one tower.

    Attributes:
        column: the column's alias in the dataset.
        data_type: how the column is read.
        transforms: at least one; a numeric column may be both normalized and bucketized.
        dim: embedding dimension of `embed`, `bucketize` and `average`; None without any of them.
        buckets: number of buckets of `bucketize`; None where it isn't used.
        max_length: how many values of a history count, the last ones; None elsewhere.
        vocabulary: the id whose vocabulary and embeddings a history shares; None elsewhere.
        primary: whether this is the tower's id.
    """

    column: str
    data_type: DataType
    transforms: tuple[Transform, ...]
    dim: int | None = None
    buckets: int | None = None
    max_length: int | None = None
    vocabulary: str | None = None
    primary: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Feature":
        allowed = TRANSFORMS[self.data_type]
        if not self.transforms or any(t not in allowed for t in self.transforms):
            raise ValueError(f"{self.data_type} takes the transforms {', '.join(allowed)}")
        embedding = {"embed", "bucketize", "average"} & set(self.transforms)
        if embedding and not (self.dim and self.dim > 0):
            raise ValueError("embed, bucketize and average need a dim above 0")
        if "average" in self.transforms and not (self.max_length and self.vocabulary):
            raise ValueError("a history needs a max_length and the id whose embeddings it shares")
        if "bucketize" in self.transforms and not (self.buckets and self.buckets > 1):
            raise ValueError("bucketize needs at least 2 buckets")
        return self

    def transform_dim(self, transform: Transform) -> int:
        """Return how many dimensions one of the transforms gives to the tower's input."""
        if transform == "normalize":
            return 1
        if transform.startswith("cyclical_"):
            return 2
        return self.dim or 0

    @property
    def widths(self) -> tuple[int, ...]:
        """How many dimensions each of its fields has, one for each transform."""
        return tuple(self.transform_dim(t) for t in self.transforms)

    @property
    def tensor_dim(self) -> int:
        """How many dimensions the feature gives to the tower's input."""
        return sum(self.widths)


class CrossPart(Frozen):
    """One column of a cross.

    Attributes:
        column: the column's alias in the dataset.
        data_type: how it is read; a list has no single value to cross.
        buckets: number of quantile buckets of a numeric or temporal column; None for text.
    """

    column: str
    data_type: Literal["text", "numeric", "temporal"]
    buckets: int | None = None

    @model_validator(mode="after")
    def _check(self) -> "CrossPart":
        if (self.data_type == "text") != (self.buckets is None):
            raise ValueError("numeric and temporal parts of a cross have buckets, text has none")
        return self


class Cross(Frozen):
    """Two or three columns of one tower as one token, hashed and embedded.

    Attributes:
        parts: the columns.
        buckets: number of hashes; tokens that share one share its embedding.
        dim: embedding dimension.
    """

    parts: tuple[CrossPart, ...]
    buckets: int = Field(ge=2)
    dim: int = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> "Cross":
        columns = {part.column for part in self.parts}
        if not len(columns) == len(self.parts) in {2, 3}:
            raise ValueError("a cross joins 2 or 3 different columns")
        return self

    @property
    def column(self) -> str:
        """The columns in short."""
        return " × ".join(part.column for part in self.parts)

    @property
    def transforms(self) -> tuple[Literal["cross"]]:
        """What is done, as of a feature."""
        return ("cross",)

    @property
    def widths(self) -> tuple[int]:
        """How many dimensions each of its fields has, as of a feature."""
        return (self.dim,)

    @property
    def tensor_dim(self) -> int:
        """How many dimensions it gives to the tower's input."""
        return self.dim


class Target(Frozen):
    """What ranking models learn, and what is done with it before: clip, then log1p, then normalize.

    Attributes:
        column: the column's alias in the dataset.
        clip: the percentiles of train, 0 to 100, that limit the labels.
        log1p: whether the labels are log(1 + x).
        normalize: whether the labels are z-scores by train's mean and standard deviation.
    """

    column: str
    clip: tuple[float, float] | None = None
    log1p: bool = False
    normalize: bool = False

    @field_validator("clip")
    @classmethod
    def _ascending(cls, clip: tuple[float, float] | None) -> tuple[float, float] | None:
        if clip is not None and not 0 <= clip[0] < clip[1] <= 100:
            raise ValueError("must be two percentiles from 0 to 100, the lower one first")
        return clip

    @property
    def transforms(self) -> tuple[str, ...]:
        """What is done with the labels, in words and in order."""
        clip = self.clip and f"clipped to percentiles {self.clip[0]:g} to {self.clip[1]:g}"
        steps = (clip, "log(1 + x)" if self.log1p else None, "z-score" if self.normalize else None)
        return tuple(step for step in steps if step)

    def __str__(self) -> str:
        """Return the column and what is done with it."""
        return ", ".join((self.column, *self.transforms))


class FeatureConfig(Frozen):
    """The resolved features and crosses of both towers, and the target (None without one)."""

    name: str
    description: str = ""
    dataset: str
    buyer: tuple[Feature, ...]
    product: tuple[Feature, ...]
    buyer_crosses: tuple[Cross, ...] = ()
    product_crosses: tuple[Cross, ...] = ()
    target: Target | None = None

    @field_validator("target", mode="before")
    @classmethod
    def _of_column(cls, target: object) -> object:
        """Take a column's name, as experiments stored it when targets had no transforms."""
        return {"column": target} if isinstance(target, str) else target

    @model_validator(mode="after")
    def _one_id_each(self) -> "FeatureConfig":
        for tower, features in (("buyer", self.buyer), ("product", self.product)):
            if sum(f.primary for f in features) != 1:
                raise ValueError(f"the {tower} tower needs exactly one primary feature")
        return self

    @model_validator(mode="after")
    def _shared_embeddings(self) -> "FeatureConfig":
        product = next(feature for feature in self.product if feature.primary)
        for feature in (*self.buyer, *self.product):
            shared = feature.vocabulary, feature.dim
            if feature.data_type == "history" and shared != (product.column, product.dim):
                raise ValueError("a history shares the embeddings of the product id, and their dim")
        return self

    @property
    def buyer_inputs(self) -> tuple[Feature | Cross, ...]:
        """All that goes into the query tower, in the order in which its tensors are joined."""
        return (*self.buyer, *self.buyer_crosses)

    @property
    def product_inputs(self) -> tuple[Feature | Cross, ...]:
        """All that goes into the candidate tower, likewise."""
        return (*self.product, *self.product_crosses)

    @property
    def buyer_dim(self) -> int:
        """Width of the query tower's input."""
        return sum(f.tensor_dim for f in self.buyer_inputs)

    @property
    def product_dim(self) -> int:
        """Width of the candidate tower's input."""
        return sum(f.tensor_dim for f in self.product_inputs)

    def at_width(self, width: int) -> "FeatureConfig":
        """Return the config with all embeddings as wide as each other, so that they add up."""

        def widened(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
            return tuple(f.model_copy(update={"dim": f.dim and width}) for f in features)

        def crossed(crosses: tuple[Cross, ...]) -> tuple[Cross, ...]:
            return tuple(c.model_copy(update={"dim": width}) for c in crosses)

        return self.model_copy(
            update={
                "buyer": widened(self.buyer),
                "product": widened(self.product),
                "buyer_crosses": crossed(self.buyer_crosses),
                "product_crosses": crossed(self.product_crosses),
            }
        )
