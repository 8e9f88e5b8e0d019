"""Definitions as people write them: what a TOML table may say, before anything is resolved.

The shape of a table is checked here; whether its names fit together is checked in `checks`, and
whether they fit the data at planning, which turns definitions into the resolved `engine.spec`.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from engine.definitions.presets import PRESETS, RATING_PRESETS, PresetName, RatingPresetName
from engine.spec import (
    Combine,
    DataType,
    Frozen,
    Layer,
    ModelConfig,
    ModelType,
    OptimizerName,
    RatingLoss,
    RatingSettings,
    RetrievalSettings,
    Target,
    Tower,
    Transform,
    content_hash,
)

Value = bool | int | float | str
"""A value of a filter; TOML dates arrive as ISO 8601 text."""
LEAST_LEARNING_RATE = 0.0001
_FIRST_RETRIEVAL_KEYS = frozenset(
    {"normalize", "temperature", "logq_correction", "popularity_prior", "top_k"}
)
"""Those of the first version; stored hashes count them even where they are the default."""
Days = Annotated[int, Field(gt=0, le=36_500)]


class Definition(Frozen):
    """What every definition has: a name that is unique over all files, and a description."""

    name: str
    description: str = ""

    @property
    def hash(self) -> str:
        """Hash of what the definition means; name and description do not count."""
        return self.content_hash(without=frozenset({"name", "description"}))

    def as_written(self) -> dict[str, object]:
        """Return the definition as JSON values under the keys of its TOML table.

        What its author left to the defaults is left out.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Join(Frozen):
    """One more table.

    Attributes:
        table: name of the table that is joined.
        how: the kind of join.
        on: column so far (of the primary table, or "table.column") to column of the joined table.
    """

    table: str
    how: Literal["left", "inner", "right"] = "left"
    on: dict[str, str]


class Roles(Frozen):
    """Which columns (aliases) play which part; `row_key` is empty where the default applies."""

    buyer: str
    product: str
    timestamp: str | None = None
    revenue: str | None = None
    row_key: tuple[str, ...] = ()


class Filter(Frozen):
    """One condition on one column, or on products or customers; exactly one of the kinds is set.

    Attributes:
        column: what `equals` to `end` speak of; empty where `of` is set.
        of: whose sums over the rows `top_percent` to `min_spend` speak of.
        top_percent: share of the products or customers, in percent, with the highest revenue.
        min_count: the fewest rows.
        min_spend: the least sum of the revenue.
        equals: the value of the column.
        one_of: the values of the column; the key is `in`.
        min: the least value, inclusive.
        max: the greatest value, inclusive.
        last_days: days before the newest timestamp of the data.
        start: first day or time, ISO 8601.
        end: last day (all of it) or time, ISO 8601.
    """

    column: str = ""
    of: Literal["products", "customers"] | None = None
    top_percent: float | None = Field(default=None, gt=0, le=100)
    min_count: int | None = Field(default=None, gt=0)
    min_spend: float | None = Field(default=None, ge=0)
    equals: Value | None = None
    one_of: tuple[Value, ...] | None = Field(default=None, alias="in", max_length=10_000)
    min: Value | None = None
    max: Value | None = None
    last_days: Days | None = None
    start: str | None = None
    end: str | None = None

    model_config = {"populate_by_name": True}

    @property
    def on_dates(self) -> bool:
        """Whether it is a condition on a timestamp."""
        return self.last_days is not None or self.start is not None or self.end is not None

    def __str__(self) -> str:
        named = {"column", "of"}
        given = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=named)
        return f"{self.of or self.column}: " + ", ".join(
            f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()
        )


class History(Frozen):
    """A column made of each buyer's earlier rows.

    Attributes:
        column: whose values are collected; an alias of the dataset.
        last: how many of them, the latest, at most.
    """

    column: str
    last: int = Field(default=50, gt=0, le=1_000)


class BigQuerySource(Frozen):
    """Where the tables are in BigQuery.

    Attributes:
        tables: name to "table" or "project.dataset.table"; a table that isn't named here has its
            own name there.
    """

    project: str
    dataset: str
    tables: dict[str, str] = {}

    def id_of(self, table: str) -> str:
        """Return "project.dataset.table" of a table by its name in the definition."""
        written = self.tables.get(table, table)
        return written if written.count(".") else f"{self.project}.{self.dataset}.{written}"


_LATER_FIELDS = {"histories", "bigquery"}
_LATER_FILTER_FIELDS = {"of", "top_percent", "min_count", "min_spend"}


class DatasetDefinition(Definition):
    """What data: tables, joins, columns, roles and filters.

    Attributes:
        tables: name to file (Parquet or CSV) or "database::table" (DuckDB or SQLite); globs
            allowed, relative to the workspace.
        primary: the table that the others are joined to.
        columns: alias to "table.column" or "column"; empty takes every column of `primary`.
        histories: alias to the column whose earlier values it lists.
        filters: joined by AND.
        bigquery: where the same tables are in BigQuery.
    """

    tables: dict[str, str]
    primary: str
    joins: tuple[Join, ...] = ()
    columns: dict[str, str] = {}
    histories: dict[str, History] = {}
    roles: Roles
    filters: tuple[Filter, ...] = ()
    bigquery: BigQuerySource | None = None

    @property
    def hash(self) -> str:
        """Hash as in the base class; a field that isn't used leaves the hash of old ones alone."""
        value = self.model_dump(mode="json", exclude={"name", "description"})
        for name in _LATER_FIELDS:
            if not value[name]:
                del value[name]
        for filter_ in value["filters"]:
            for name in _LATER_FILTER_FIELDS:
                if filter_[name] is None:
                    del filter_[name]
        return content_hash(value)


class FeatureDefinition(Frozen):
    """A column as a feature of a tower; None means: by the column's type and cardinality.

    Attributes:
        max_length: how many values of a history count, the last ones; 50 where it isn't said.
    """

    column: str
    primary: bool = False
    data_type: DataType | None = None
    transforms: tuple[Transform, ...] | None = None
    buckets: int | None = Field(default=None, ge=2, le=10_000)
    dim: int | None = Field(default=None, gt=0, le=4096)
    max_length: int | None = Field(default=None, gt=0, le=1_000)


class CrossDefinition(Frozen):
    """Columns of one tower that become one feature.

    Attributes:
        columns: two or three features of the tower.
        buckets: number of hashes.
        dim: None takes the default for so many values.
        crossing_buckets: buckets of numeric and temporal columns; 10 where it isn't said.
    """

    columns: tuple[str, ...]
    buckets: int = Field(default=1_000, ge=2, le=10_000_000)
    dim: int | None = Field(default=None, gt=0, le=4096)
    crossing_buckets: dict[str, Annotated[int, Field(ge=2, le=10_000)]] = {}


def _target_form(target: object) -> str:
    return "table" if isinstance(target, dict | Target) else "column"


_TargetEntry = Annotated[
    Annotated[str, Tag("column")] | Annotated[Target, Tag("table")], Discriminator(_target_form)
]


class FeatureConfigDefinition(Definition):
    """How the columns of one dataset become tensors of the two towers.

    Attributes:
        target: a column, or a table that says what is done with it.
    """

    dataset: str
    target: _TargetEntry | None = None
    buyer: tuple[FeatureDefinition, ...]
    product: tuple[FeatureDefinition, ...]
    buyer_crosses: tuple[CrossDefinition, ...] = ()
    product_crosses: tuple[CrossDefinition, ...] = ()

    @property
    def hash(self) -> str:
        """Hash as in the base class; what isn't used leaves the hash of old ones alone."""
        value = self.model_dump(mode="json", exclude={"name", "description"})
        for key in ("buyer_crosses", "product_crosses"):
            if not value[key]:
                del value[key]
        for feature in (*value["buyer"], *value["product"]):
            if feature["max_length"] is None:
                del feature["max_length"]
        return content_hash(value)

    @property
    def target_column(self) -> str | None:
        """The column that ranking models learn."""
        return self.target.column if isinstance(self.target, Target) else self.target

    def by_path(self) -> Iterator[tuple[tuple[str | int, ...], FeatureDefinition]]:
        """Yield every feature with where it stands in the files, from the kind on."""
        for tower, features in (("buyer", self.buyer), ("product", self.product)):
            for i, feature in enumerate(features):
                yield ("features", self.name, tower, i), feature


class RatingDefinition(Frozen):
    """The rating of ranking and multitask models; see `RatingSettings`.

    Attributes:
        preset: of the head; None takes "minimal", 64→1, unless there are `layers`.
        layers: of one's own, before the head's single output.
    """

    preset: RatingPresetName | None = None
    layers: tuple[Layer, ...] | None = None
    dot_product: bool = True
    biases: bool = True
    embedding_l2: float = Field(default=0.0, ge=0)
    bias_l2: float = Field(default=0.005, ge=0)
    loss: RatingLoss = "mse"
    huber_delta: float = Field(default=1.0, gt=0)

    def resolve(self) -> RatingSettings:
        """Return the settings with the preset's layers filled in."""
        preset = RATING_PRESETS[self.preset or "minimal"]
        layers = preset if self.layers is None else self.layers
        return RatingSettings(layers=layers, **self.model_dump(exclude={"preset", "layers"}))


class ModelConfigDefinition(Definition):
    """A two-tower model: a preset, or layers of one's own for both towers.

    Attributes:
        row_wise: of adam and adamw: move only the embedding rows that a batch has.
        combine: with `sum` the towers need no layers, and only ones that keep the width.
        output_dim: width of both output embeddings; None takes the preset's.
        batch_size: examples a training step; None lets the data decide.
    """

    type: ModelType
    combine: Combine = "mlp"
    preset: PresetName | None = None
    buyer_tower: tuple[Layer, ...] | None = None
    product_tower: tuple[Layer, ...] | None = None
    output_dim: int | None = Field(default=None, gt=0, le=4096)
    optimizer: OptimizerName = "adam"
    row_wise: bool = False
    learning_rate: float = Field(default=0.003, ge=LEAST_LEARNING_RATE, le=1)
    batch_size: int | None = Field(default=None, gt=0, le=65_536)
    retrieval: RetrievalSettings = RetrievalSettings()
    rating: RatingDefinition = RatingDefinition()
    retrieval_weight: float = Field(default=1.0, ge=0, le=1000)
    ranking_weight: float = Field(default=1.0, ge=0, le=1000)

    @property
    def hash(self) -> str:
        """Hash as in the base class; what was added later counts only where it is used."""
        value = self.model_dump(mode="json", exclude={"name", "description"})
        first = type(self)(name=self.name, type="retrieval").model_dump(mode="json")
        for key in ("combine", "row_wise", "rating", "retrieval_weight", "ranking_weight"):
            if value[key] == first[key]:
                del value[key]
        settings, defaults = value["retrieval"], first["retrieval"]
        for key in settings.keys() - _FIRST_RETRIEVAL_KEYS:
            if settings[key] == defaults[key]:
                del settings[key]
        return content_hash(value)

    def as_written(self) -> dict[str, object]:
        """Return the definition as in the base class; each layer names its kind."""
        towers = {"buyer_tower": self.buyer_tower, "product_tower": self.product_tower}
        written = {key: _with_kinds(layers) for key, layers in towers.items() if layers is not None}
        own = super().as_written()
        if self.rating.layers is not None:
            rating = self.rating.model_dump(mode="json", exclude_unset=True)
            own["rating"] = {**rating, "layers": _with_kinds(self.rating.layers)}
        return {**own, **written}

    def resolve(self) -> ModelConfig:
        """Return the model with the preset's layers filled in.

        Raises:
            ValueError: it has neither a preset nor all of its own layers and `output_dim`.
        """
        preset = PRESETS[self.preset] if self.preset else None
        buyer, product = _tower(self.buyer_tower), _tower(self.product_tower)
        if preset is not None:
            buyer, product = buyer or preset.buyer_tower, product or preset.product_tower
        output_dim = self.output_dim or (preset.output_dim if preset else None)
        if self.combine == "sum":
            buyer, product = buyer or Tower(), product or Tower()
        if buyer is None or product is None or output_dim is None:
            raise ValueError("a model config without a preset needs both towers and output_dim")
        shared = self.model_dump(
            exclude={"preset", "buyer_tower", "product_tower", "output_dim", "retrieval", "rating"}
        )
        return ModelConfig(
            **shared,
            buyer_tower=buyer,
            product_tower=product,
            output_dim=output_dim,
            retrieval=self.retrieval,
            rating=None if self.type == "retrieval" else self.rating.resolve(),
        )


def _tower(layers: tuple[Layer, ...] | None) -> Tower | None:
    return None if layers is None else Tower(layers=layers)


def _with_kinds(layers: tuple[Layer, ...]) -> list[dict[str, object]]:
    return [
        {"kind": layer.kind, **layer.model_dump(mode="json", exclude_unset=True)}
        for layer in layers
    ]
