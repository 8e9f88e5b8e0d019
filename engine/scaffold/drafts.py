"""First definitions for inspected tables: a dataset, feature configs and model configs.

A column becomes a feature of the tower whose id determines it: of the product tower when it comes
from a table of products, or when (nearly) every product has one value of it. What changes from row
to row (a quantity, a price paid) describes neither and is left to the person who knows it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from engine.definitions.models import (
    DatasetDefinition,
    FeatureConfigDefinition,
    FeatureDefinition,
    Join,
    ModelConfigDefinition,
    RatingDefinition,
    Roles,
)
from engine.definitions.presets import PRESET_NAMES
from engine.scaffold import roles as roles_
from engine.scaffold.inspection import Inspection, SourceColumn, SourceTable, numbered, slug
from engine.scaffold.roles import words
from engine.spec import ROW_KEY, SPLIT, ModelType, RetrievalSettings, Target, default_dim

Side = Literal["buyer", "product"]

_DETERMINED = 0.99
"""Share of the ids with a single value from which on a column counts as the id's attribute."""
_REPEATED = 0.1
"""Share of the rows that repeat a buyer's product from which on what was bought is bought again."""
_UNREPEATED = RetrievalSettings(temperature=0.3, softmax_group=256)
_REPEATING = _UNREPEATED.model_copy(update={"temperature": 0.12})
"""The lower the temperature, the better towers tell a buyer's own products from others."""
_HISTORY = _UNREPEATED.model_copy(
    update={"popularity_weight": 1.5, "own_history": True, "own_history_weight": 20.0}
)
"""What a buyer had comes first, by how often; towers and prior then order what is equal or new."""
_FEW_RATINGS = 20_000
"""With fewer rows even the smallest batch gives fewer steps than ratings want: they are longer."""
_WEIGHTED_PRODUCT = RatingDefinition(layers=(), dot_product=False)
"""What is best for recall has one length; weights of each dimension make ratings of it as well."""
_MOST_VALUES = 5_000
_MOST_NULLS = 0.9


@dataclass(frozen=True)
class Draft:
    """What `draft` proposes.

    Attributes:
        left_out: columns that are no features, or tables that aren't joined, with the reason.
    """

    dataset: DatasetDefinition
    feature_configs: tuple[FeatureConfigDefinition, ...]
    model_configs: tuple[ModelConfigDefinition, ...]
    left_out: dict[str, str]


@dataclass(frozen=True)
class _Attribute:
    """A column that may become a feature; `ids` counts the values of the id that determines it."""

    alias: str
    column: SourceColumn
    side: Side | None
    ids: int


def draft(
    inspection: Inspection,
    name: str,
    tables: tuple[SourceTable, ...],
    primary: SourceTable,
    roles: roles_.Roles,
    sources: dict[str, str],
) -> Draft:
    """Propose definitions.

    Args:
        inspection: measures which columns an id determines.
        name: of the dataset.
        tables: all tables, `primary` among them.
        primary: the table of interactions.
        roles: columns of `primary`.
        sources: table name to its path as the dataset shall name it.
    """
    joined, left_out = _joins(tables, primary, roles)
    layout = _Layout(primary, joined, roles, _aliases(primary, joined))
    features = {side: [_id_feature(layout, side)] for side in ("buyer", "product")}
    for attribute in _attributes(inspection, layout):
        reason = _why_not(attribute)
        if reason or attribute.side is None:
            left_out[attribute.alias] = reason
        else:
            features[attribute.side].append(_feature(attribute))
    basic = FeatureConfigDefinition(
        name="basic",
        dataset=name,
        buyer=tuple(features["buyer"]),
        product=tuple(features["product"]),
    )
    target = layout.alias(roles.target)
    # Learning rates, weights and penalties suit any unit when the target has none.
    learnt = Target(column=target, normalize=True) if target else None
    rated = [basic.model_copy(update={"name": "rated", "target": learnt})] if learnt else []
    dataset = _dataset(name, layout, sources)
    return Draft(dataset, (basic, *rated), tuple(_model_configs(inspection, layout)), left_out)


class _Joined(NamedTuple):
    """A table that says more about the products or buyers, and the column that identifies them."""

    table: SourceTable
    side: Side
    key: str


@dataclass(frozen=True)
class _Layout:
    """The tables that are used, and what their columns are called in the dataset."""

    primary: SourceTable
    joined: list[_Joined]
    roles: roles_.Roles
    aliases: dict[tuple[str, str], str]

    def alias(self, column: str | None) -> str | None:
        """Return what a column of the table of interactions is called."""
        return None if column is None else self.aliases[self.primary.name, column]

    def id_column(self, side: Side) -> SourceColumn:
        """Return the buyer's or the product's id."""
        name = self.roles.buyer if side == "buyer" else self.roles.product
        return next(column for column in self.primary.columns if column.name == name)


def _dataset(name: str, layout: _Layout, sources: dict[str, str]) -> DatasetDefinition:
    tables = (layout.primary, *(table for table, _, _ in layout.joined))
    roles = layout.roles
    dataset = DatasetDefinition(
        name=name,
        primary=layout.primary.name,
        tables={table.name: sources[table.name] for table in tables},
        columns={alias: f"{table}.{column}" for (table, column), alias in layout.aliases.items()},
        roles=Roles(
            buyer=layout.aliases[layout.primary.name, roles.buyer],
            product=layout.aliases[layout.primary.name, roles.product],
            timestamp=layout.alias(roles.timestamp),
            revenue=layout.alias(roles.revenue),
        ),
    )
    joins = tuple(Join(table=table.name, on={key: key}) for table, _, key in layout.joined)
    # Set only where there are some: what is set is written.
    return dataset.model_copy(update={"joins": joins}) if joins else dataset


def _attributes(inspection: Inspection, layout: _Layout) -> Iterator[_Attribute]:
    """Yield every column that plays no role."""
    yield from _primary_attributes(inspection, layout)
    for table, side, key in layout.joined:
        for column in table.columns:
            alias = layout.aliases.get((table.name, column.name))
            if column.name != key and alias is not None:
                yield _Attribute(alias, column, side, table.rows)


def _joins(
    tables: tuple[SourceTable, ...], primary: SourceTable, roles: roles_.Roles
) -> tuple[list[_Joined], dict[str, str]]:
    """Return the tables that a product or buyer id leads to, with that key, and why not others."""
    joined: list[_Joined] = []
    left_out: dict[str, str] = {}
    for table in tables:
        if table is primary:
            continue
        both = (_Joined(table, "product", roles.product), _Joined(table, "buyer", roles.buyer))
        shared = [one for one in both if any(c.name == one.key for c in table.columns)]
        unique = [one for one in shared if table.is_unique(one.key)]
        if [c.name for c in table.columns] == [c.name for c in primary.columns]:
            left_out[table.name] = (
                f"table not joined: it is like {primary.name}; a folder or a glob reads both as one"
            )
        elif unique:
            joined.append(unique[0])
        elif shared:
            left_out[table.name] = f"table not joined: {shared[0].key} isn't unique there"
        else:
            left_out[table.name] = f"table not joined: no {roles.product} or {roles.buyer} there"
    return joined, left_out


def _aliases(primary: SourceTable, joined: list[_Joined]) -> dict[tuple[str, str], str]:
    """Return (table, column) to an identifier, unique even where case does not count."""
    aliases: dict[tuple[str, str], str] = {}
    taken = {ROW_KEY, SPLIT}
    for table, key in ((primary, None), *((table, key) for table, _, key in joined)):
        for column in table.columns:
            if column.kind == "other" or column.name == key:
                continue
            plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", column.name, re.ASCII)
            wanted = column.name if plain else slug(column.name, fallback="column")[:48]
            proposals = chain([wanted], numbered(f"{table.name}_{wanted}"))
            alias = next(p for p in proposals if p.lower() not in taken)
            taken.add(alias.lower())
            aliases[table.name, column.name] = alias
    return aliases


def _primary_attributes(inspection: Inspection, layout: _Layout) -> Iterator[_Attribute]:
    """Tell for each column of the table of interactions which id determines it, if any."""
    primary, roles = layout.primary, layout.roles
    played = {roles.buyer, roles.product, roles.timestamp, roles.revenue, roles.target}
    columns = [c for c in primary.columns if c.name not in played and c.kind != "other"]
    names = [c.name for c in columns]
    by_product = inspection.determined_shares(primary, roles.product, names)
    by_buyer = inspection.determined_shares(primary, roles.buyer, names)
    for column in columns:
        side: Side | None = None
        if by_product[column.name] >= _DETERMINED:
            side = "product"
        elif by_buyer[column.name] >= _DETERMINED:
            side = "buyer"
        ids = layout.id_column(side).distinct if side else 0
        yield _Attribute(layout.aliases[primary.name, column.name], column, side, ids)


def _why_not(attribute: _Attribute) -> str:
    """Return why a column is no feature; empty when it is one."""
    column = attribute.column
    if column.distinct < 2:
        return "it has a single value" if column.distinct else "it is empty"
    if attribute.side is None:
        return "it changes from row to row"
    if column.kind == "time":
        return f"a time; add it to the {attribute.side} tower if it helps"
    if column.null_share > _MOST_NULLS:
        return f"{column.null_share:.0%} of it is null"
    if _is_category(column) and column.distinct > attribute.ids / 2:
        return f"nearly as many values as {attribute.side}s, so it says little beyond the id"
    if _is_category(column) and column.distinct > _MOST_VALUES:
        return f"{column.distinct:,} distinct values"
    return ""


def _feature(attribute: _Attribute) -> FeatureDefinition:
    column = attribute.column
    if not _is_category(column):
        return FeatureDefinition(column=attribute.alias, data_type="numeric")
    # A number that names something (a zip code, a manufacturer's id) has to be told apart.
    data_type = None if column.kind == "text" else "text"
    dim = default_dim(column.distinct)
    return FeatureDefinition(column=attribute.alias, data_type=data_type, dim=dim)


def _is_category(column: SourceColumn) -> bool:
    named = {"id", "code", "key", "zip", "zipcode", "postcode", "sku"} & set(words(column.name))
    return column.kind in ("text", "boolean") or (column.kind == "integer" and bool(named))


def _id_feature(layout: _Layout, side: Side) -> FeatureDefinition:
    column = layout.id_column(side)
    alias = layout.aliases[layout.primary.name, column.name]
    return FeatureDefinition(column=alias, primary=True, dim=default_dim(column.distinct))


def _model_configs(inspection: Inspection, layout: _Layout) -> Iterator[ModelConfigDefinition]:
    """Yield for each type towers that add up their fields, then one with layers for each preset.

    What a first run is best made with comes first; docs/quality.md holds the comparison. Where
    products are bought again, the same follows with the buyers' own history in the scores.
    """
    repeated = inspection.repeated_share(layout.primary, layout.roles.buyer, layout.roles.product)
    bought_again = repeated >= _REPEATED
    retrieval = _REPEATING if bought_again else _UNREPEATED
    first = ModelConfigDefinition(
        name="retrieval-sum",
        type="retrieval",
        combine="sum",
        output_dim=256 if bought_again else 128,
        row_wise=True,
        learning_rate=0.01 if bought_again else 0.02,
        retrieval=retrieval,
    )
    yield first
    if bought_again:
        yield first.model_copy(
            update={
                "name": "retrieval-sum-history",
                "output_dim": 128,
                "learning_rate": 0.02,
                "retrieval": _HISTORY,
            }
        )
    yield from _presets("retrieval")
    yield ModelConfigDefinition(
        name="ranking-sum",
        type="ranking",
        combine="sum",
        output_dim=32,
        learning_rate=0.008 if layout.primary.rows < _FEW_RATINGS else 0.003,
        rating=RatingDefinition(preset="none", embedding_l2=_penalty(layout.primary.rows)),
    )
    yield from _presets("ranking")
    yield ModelConfigDefinition(
        name="multitask-sum",
        type="multitask",
        combine="sum",
        output_dim=64,
        learning_rate=0.005,
        retrieval=retrieval,
        rating=_WEIGHTED_PRODUCT,
        ranking_weight=2.0,
    )
    yield from _presets("multitask")


def _penalty(rows: int) -> float:
    """Return the penalty on the embeddings: the fewer ratings, the less each can be believed."""
    return round(min(max(4_000 / rows, 0.05), 0.5), 2)


def _presets(model_type: ModelType) -> Iterator[ModelConfigDefinition]:
    for preset in PRESET_NAMES:
        yield ModelConfigDefinition(name=f"{model_type}-{preset}", type=model_type, preset=preset)
