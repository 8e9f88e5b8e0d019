"""Feature configs with everything filled in that their author left to the data."""

from collections.abc import Iterator, Mapping

from engine.definitions.misfits import DataMisfit, concerning
from engine.definitions.models import CrossDefinition, FeatureConfigDefinition, FeatureDefinition
from engine.definitions.names import listed, quoted
from engine.definitions.positions import Path
from engine.errors import InvalidInput
from engine.spec import (
    TRANSFORMS,
    Cross,
    CrossPart,
    DataType,
    Feature,
    FeatureConfig,
    Target,
    Transform,
    default_dim,
)

_DEFAULT_BUCKETS = 10
_DEFAULT_BUCKET_DIM = 8
_DEFAULT_MAX_LENGTH = 50


def resolve_features(
    definition: FeatureConfigDefinition,
    data_types: Mapping[str, DataType],
    cardinalities: Mapping[str, int],
) -> FeatureConfig:
    """Return the feature config with data types, transforms, dimensions and buckets.

    Args:
        definition: as written.
        data_types: of every column that it names.
        cardinalities: distinct values of the columns that are embedded without a `dim`; while
            they are unknown, the dimensions that depend on them are the least.

    Raises:
        InvalidInput: a feature asks for what its column's data type doesn't take.
    """
    (product,) = (feature for feature in definition.product if feature.primary)
    product_dim = product.dim or default_dim(cardinalities.get(product.column, 0))
    is_dim_known = product.dim is not None or product.column in cardinalities

    def tower(name: str) -> Iterator[Feature]:
        for path, feature in definition.by_path():
            if path[2] == name:
                column = feature.column
                if data_types[column] == "history":
                    same = feature if is_dim_known else feature.replace(dim=None)
                    yield _history(path, same, product.column, product_dim)
                    continue
                yield _resolve(path, feature, data_types[column], cardinalities.get(column, 0))

    def crosses(name: str, written: tuple[CrossDefinition, ...]) -> Iterator[Cross]:
        for i, cross in enumerate(written):
            path = ("features", definition.name, f"{name}_crosses", i)
            parts = tuple(_parts(path, cross, data_types))
            yield Cross(
                parts=parts, buckets=cross.buckets, dim=cross.dim or default_dim(cross.buckets)
            )

    return FeatureConfig(
        name=definition.name,
        description=definition.description,
        dataset=definition.dataset,
        buyer=tuple(tower("buyer")),
        product=tuple(tower("product")),
        buyer_crosses=tuple(crosses("buyer", definition.buyer_crosses)),
        product_crosses=tuple(crosses("product", definition.product_crosses)),
        target=_target(definition.target),
    )


def _target(target: str | Target | None) -> Target | None:
    return Target(column=target) if isinstance(target, str) else target


def _resolve(
    path: Path, feature: FeatureDefinition, data_type: DataType, cardinality: int
) -> Feature:
    with concerning(*path, "transforms"):
        transforms = _transforms(feature, data_type)
    embeds, buckets = "embed" in transforms, "bucketize" in transforms
    if feature.dim is not None and not (embeds or buckets):
        misfit = _misfit(feature, data_type, "whose dim goes with embed and bucketize")
        raise DataMisfit(misfit, (*path, "dim"))
    if feature.buckets is not None and not buckets:
        misfit = _misfit(feature, data_type, "whose buckets go with the transform bucketize")
        raise DataMisfit(misfit, (*path, "buckets"))
    if feature.max_length is not None:
        misfit = _misfit(feature, data_type, "whose max_length goes with histories")
        raise DataMisfit(misfit, (*path, "max_length"))
    default = default_dim(cardinality) if embeds else _DEFAULT_BUCKET_DIM
    return Feature(
        column=feature.column,
        data_type=data_type,
        transforms=transforms,
        dim=(feature.dim or default) if embeds or buckets else None,
        buckets=(feature.buckets or _DEFAULT_BUCKETS) if buckets else None,
        primary=feature.primary,
    )


def _history(path: Path, feature: FeatureDefinition, product: str, dim: int) -> Feature:
    with concerning(*path, "transforms"):
        transforms = _transforms(feature, "history")
    if feature.dim not in {None, dim}:
        told = f"whose embeddings are those of {quoted(product)}, of dim {dim}"
        raise DataMisfit(_misfit(feature, "history", told), (*path, "dim"))
    if feature.buckets is not None:
        told = "whose buckets go with the transform bucketize"
        raise DataMisfit(_misfit(feature, "history", told), (*path, "buckets"))
    return Feature(
        column=feature.column,
        data_type="history",
        transforms=transforms,
        dim=dim,
        max_length=feature.max_length or _DEFAULT_MAX_LENGTH,
        vocabulary=product,
        primary=feature.primary,
    )


def _parts(
    path: Path, cross: CrossDefinition, data_types: Mapping[str, DataType]
) -> Iterator[CrossPart]:
    for i, column in enumerate(cross.columns):
        data_type, buckets = data_types[column], cross.crossing_buckets.get(column)
        if data_type == "history":
            listed_values = InvalidInput(
                f"Column {quoted(column)} is a history, which can't be crossed.",
                hint="Take it out of the cross.",
            )
            raise DataMisfit(listed_values, (*path, "columns", i))
        if data_type == "text" and buckets is not None:
            text = InvalidInput(
                f"Column {quoted(column)} is text, which is crossed as it is.",
                hint="Take it out of crossing_buckets.",
            )
            raise DataMisfit(text, (*path, "crossing_buckets", column))
        if data_type != "text":
            buckets = buckets or _DEFAULT_BUCKETS
        yield CrossPart(column=column, data_type=data_type, buckets=buckets)


def _transforms(feature: FeatureDefinition, data_type: DataType) -> tuple[Transform, ...]:
    """Return what was asked for, in the order in which tensors are concatenated."""
    allowed = TRANSFORMS[data_type]
    if feature.transforms is None:
        return allowed[:1]
    if wrong := [t for t in feature.transforms if t not in allowed]:
        raise _misfit(feature, data_type, f"which takes {listed(allowed)}, not {listed(wrong)}")
    return tuple(t for t in allowed if t in feature.transforms)


def _misfit(feature: FeatureDefinition, data_type: DataType, what: str) -> InvalidInput:
    return InvalidInput(
        f"Column {quoted(feature.column)} is {data_type}, {what}.",
        hint="A feature's data_type may be set in its feature config.",
    )
