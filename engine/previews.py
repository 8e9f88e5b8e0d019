"""What a run would be made of, before it runs: features with their dimensions, layers with weights.

The parameter counts are those of the Keras model that the pipelines build, a test compares; but the
vocabularies are counted over the whole filtered dataset: those of the train split may be smaller,
and the embedding tables with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.spec import (
    BatchNorm,
    Combine,
    Cross,
    DataType,
    Dense,
    Dropout,
    Feature,
    FeatureConfig,
    Layer,
    ModelConfig,
    ModelType,
    OptimizerName,
    RatingSettings,
    RetrievalSettings,
    Tower,
    Transform,
)

if TYPE_CHECKING:
    from engine.definitions import Definitions

_BATCH_NORM_WEIGHTS = 4
"""For each input: scale, offset, and the moving mean and variance."""
_LAYER_NORM_WEIGHTS = 2
"""For each input: scale and offset."""


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature or cross of a tower.

    Attributes:
        column: its column; those of a cross as "age × city".
        transforms: in words, as "embedding of 32" or "yearly cycle".
        tensor_dim: dimensions that it gives to the tower's input.
        vocabulary_size: distinct values where they are embedded; None elsewhere.
        embedding_parameters: weights of its embedding tables.
        primary: whether it is the tower's id.
        widths: dimensions of each of its fields.
    """

    column: str
    data_type: DataType | Literal["cross"]
    transforms: tuple[str, ...]
    tensor_dim: int
    vocabulary_size: int | None
    embedding_parameters: int
    primary: bool
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TowerFeatures:
    """What goes into one tower."""

    tensor_dim: int
    features: tuple[FeatureRow, ...]

    @property
    def embedding_parameters(self) -> int:
        """Weights of all embedding tables."""
        return sum(feature.embedding_parameters for feature in self.features)


@dataclass(frozen=True)
class FeaturesPreview:
    """A feature config as a run would use it.

    Attributes:
        rows: of the dataset, filtered but unsampled.
        config: the features with what the data decides.
        distinct: number of distinct values by column.
    """

    name: str
    rows: int
    config: FeatureConfig
    distinct: Mapping[str, int]

    @property
    def dataset(self) -> str:
        """Whose features they are."""
        return self.config.dataset

    @cached_property
    def buyer(self) -> TowerFeatures:
        """What goes into the query tower."""
        return tower_features(self.config.buyer_inputs, self.distinct)

    @cached_property
    def product(self) -> TowerFeatures:
        """What goes into the candidate tower."""
        return tower_features(self.config.product_inputs, self.distinct)

    @property
    def target(self) -> str | None:
        """The target's column and what is done with it, in words."""
        return self.config.target and str(self.config.target)


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a tower, as "Dense 128 relu".

    Attributes:
        output_dim: its width; None where that of the input is unknown.
        parameters: all of its weights; None where the width of its input is unknown.
    """

    label: str
    output_dim: int | None
    parameters: int | None


@dataclass(frozen=True, slots=True)
class TowerPreview:
    """One tower, from its input to the output embedding; None where features are unknown."""

    input_dim: int | None
    embedding_parameters: int | None
    layers: tuple[LayerRow, ...]

    @property
    def layer_parameters(self) -> int | None:
        """Weights of all layers."""
        counts = [layer.parameters for layer in self.layers if layer.parameters is not None]
        return sum(counts) if len(counts) == len(self.layers) else None

    @property
    def parameters(self) -> int | None:
        """Weights of layers and embedding tables."""
        return _total(self.layer_parameters, self.embedding_parameters)


@dataclass(frozen=True, slots=True)
class RatingPreview:
    """The rating head and what is added to it.

    Attributes:
        layers: the head's, then the biases of buyers and products and the output bias.
        settings: the losses and penalties.
    """

    layers: tuple[LayerRow, ...]
    settings: RatingSettings

    @property
    def parameters(self) -> int | None:
        """Weights of all of it; None where the ids are unknown."""
        counts = [layer.parameters for layer in self.layers if layer.parameters is not None]
        return sum(counts) if len(counts) == len(self.layers) else None


@dataclass(frozen=True, slots=True)
class ModelPreview:
    """A model config with its presets filled in.

    Attributes:
        features: as this model takes them; None where they are unknown.
        batch_size: None where the data decides.
    """

    name: str
    model_type: ModelType
    buyer: TowerPreview
    product: TowerPreview
    output_dim: int
    retrieval: RetrievalSettings
    optimizer: OptimizerName
    learning_rate: float
    batch_size: int | None
    combine: Combine = "mlp"
    rating: RatingPreview | None = None
    features: FeaturesPreview | None = None

    @property
    def parameters(self) -> int | None:
        """Weights of both towers and what makes ratings of them."""
        towers = _total(self.buyer.parameters, self.product.parameters)
        return _total(towers, self.rating.parameters) if self.rating else towers


def preview_features(name: str, definitions: "Definitions", *, root: Path) -> FeaturesPreview:
    """Return a feature config with what its data decides; reads the data once.

    Args:
        name: of the feature config.
        definitions: the workspace's.
        root: where relative paths of data files start.

    Raises:
        NotFound: a name that isn't defined.
        InvalidInput: a definition or the data is wrong.
    """
    from engine.planning import measured_features

    resolved, facts = measured_features(name, definitions, root=root)
    return FeaturesPreview(name, facts.rows, resolved, facts.distinct)


def preview_model(
    name: str, features: FeaturesPreview | None, definitions: "Definitions"
) -> ModelPreview:
    """Return a model config with its layers and, where the features are known, its weights.

    Args:
        name: of the model config.
        features: what goes into it; None leaves open what depends on it.
        definitions: the workspace's.

    Raises:
        NotFound: a name that isn't defined.
        InvalidInput: the definition is wrong.
    """
    model = definitions.model_config(name).resolve()
    if features is not None:
        features = replace(features, config=model.fitted(features.config))
    buyer, product = (features.buyer, features.product) if features else (None, None)
    return ModelPreview(
        name=name,
        model_type=model.type,
        buyer=tower_preview(model.buyer_tower, model.output_dim, buyer, model.combine),
        product=tower_preview(model.product_tower, model.output_dim, product, model.combine),
        output_dim=model.output_dim,
        retrieval=model.retrieval,
        optimizer=model.optimizer,
        learning_rate=model.learning_rate,
        batch_size=model.batch_size,
        combine=model.combine,
        rating=rating_preview(model, buyer, product),
        features=features,
    )


def tower_features(
    features: tuple[Feature | Cross, ...], distinct: Mapping[str, int]
) -> TowerFeatures:
    """Return what goes into a tower.

    Args:
        features: resolved, with the crosses.
        distinct: number of distinct values by column.
    """
    rows = tuple(
        _cross_row(feature)
        if isinstance(feature, Cross)
        else FeatureRow(
            column=feature.column,
            data_type=feature.data_type,
            transforms=tuple(_in_words(transform, feature) for transform in feature.transforms),
            tensor_dim=feature.tensor_dim,
            vocabulary_size=distinct[feature.column] if "embed" in feature.transforms else None,
            embedding_parameters=sum(
                _table_rows(transform, feature, distinct) * (feature.dim or 0)
                for transform in feature.transforms
            ),
            primary=feature.primary,
            widths=feature.widths,
        )
        for feature in features
    )
    return TowerFeatures(sum(row.tensor_dim for row in rows), rows)


def _cross_row(cross: Cross) -> FeatureRow:
    parts = " × ".join(
        f"{part.column} ({part.buckets} buckets)" if part.buckets else part.column
        for part in cross.parts
    )
    return FeatureRow(
        column=cross.column,
        data_type="cross",
        transforms=(f"cross of {parts}, {cross.buckets:,} hashes, embedding of {cross.dim}",),
        tensor_dim=cross.tensor_dim,
        vocabulary_size=None,
        embedding_parameters=(1 + cross.buckets) * cross.dim,
        primary=False,
        widths=cross.widths,
    )


def tower_preview(
    tower: Tower,
    output_dim: int,
    features: TowerFeatures | None,
    combine: Combine = "mlp",
) -> TowerPreview:
    """Return a tower's layers, the output embedding's last.

    Args:
        tower: the layers before it.
        output_dim: width of the output embedding.
        features: what goes into the tower, None when that is unknown.
        combine: how its fields are combined.
    """
    input_dim = features.tensor_dim if features else None
    return TowerPreview(
        input_dim=input_dim,
        embedding_parameters=features.embedding_parameters if features else None,
        layers=tuple(
            _layers(tower.layers, input_dim, output_dim)
            if combine == "mlp"
            else _sum_layers(tower.layers, features, output_dim)
        ),
    )


def rating_preview(
    model: ModelConfig, buyer: TowerFeatures | None, product: TowerFeatures | None
) -> RatingPreview | None:
    """Return the rating head's layers and biases; None for a retrieval model."""
    settings = model.rating
    if settings is None:
        return None
    rows: list[LayerRow] = []
    if settings.layers is not None:
        rows += _hidden(settings.layers, 3 * model.output_dim)
        rows.append(LayerRow("Rating 1", 1, rows[-1].output_dim if rows else 3 * model.output_dim))
    if settings.biases:
        for name, side in (("Buyer", buyer), ("Product", product)):
            rows.append(LayerRow(f"{name} biases", 1, _primary_rows(side)))
    return RatingPreview((*rows, LayerRow("Output bias", 1, 1)), settings)


def _primary_rows(side: TowerFeatures | None) -> int | None:
    sizes = [row.vocabulary_size for row in side.features if row.primary] if side else [None]
    return None if sizes[0] is None else max(1, sizes[0]) + 2


def _sum_layers(
    layers: tuple[Layer, ...], features: TowerFeatures | None, output_dim: int
) -> Iterator[LayerRow]:
    """Yield the sum of the fields, whose projections have no bias, and what follows it."""
    widths = [width for row in features.features for width in row.widths] if features else None
    weights = None if widths is None else sum(w * output_dim for w in widths if w != output_dim)
    yield LayerRow(f"Sum {output_dim}", output_dim, weights)
    yield from _hidden(layers, output_dim)


def _layers(layers: tuple[Layer, ...], width: int | None, output_dim: int) -> Iterator[LayerRow]:
    rows = list(_hidden(layers, width))
    yield from rows
    last = rows[-1].output_dim if rows else width
    yield LayerRow(f"Output {output_dim}", output_dim, _dense(last, output_dim))


def _hidden(layers: tuple[Layer, ...], width: int | None) -> Iterator[LayerRow]:
    for layer in layers:
        match layer:
            case Dense():
                label = f"Dense {layer.units} {layer.activation}"
                yield LayerRow(label, layer.units, _dense(width, layer.units))
                width = layer.units
            case Dropout():
                yield LayerRow(f"Dropout {layer.rate:g}", width, 0)
            case BatchNorm():
                yield LayerRow("Batch norm", width, _per_input(width, _BATCH_NORM_WEIGHTS))
            case _:
                yield LayerRow("Layer norm", width, _per_input(width, _LAYER_NORM_WEIGHTS))


def _dense(width: int | None, units: int) -> int | None:
    return None if width is None else (width + 1) * units


def _per_input(width: int | None, weights: int) -> int | None:
    return None if width is None else width * weights


def _table_rows(transform: Transform, feature: Feature, distinct: Mapping[str, int]) -> int:
    """Return how many ids a transform embeds: a missing one, and tokens with an unknown one.

    A history has no table of its own.
    """
    if transform == "embed":
        # TFT puts a placeholder into an empty vocabulary.
        return 1 + max(1, distinct[feature.column]) + 1
    return 1 + (feature.buckets or 0) if transform == "bucketize" else 0


def _in_words(transform: Transform, feature: Feature) -> str:
    if transform == "embed":
        return f"embedding of {feature.dim}"
    if transform == "bucketize":
        return f"{feature.buckets} buckets, embedding of {feature.dim}"
    if transform == "normalize":
        return "z-score"
    if transform == "average":
        return f"average of the last {feature.max_length}, shared with {feature.vocabulary}"
    return f"{transform.removeprefix('cyclical_')} cycle"


def _total(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
