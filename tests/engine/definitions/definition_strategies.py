"""Hypothesis strategies for definitions with any names and values that TOML can hold."""

from hypothesis import strategies as st

from engine.definitions import (
    CrossDefinition,
    DatasetDefinition,
    FeatureConfigDefinition,
    FeatureDefinition,
    Filter,
    Join,
    ModelConfigDefinition,
    Roles,
)
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm, RetrievalSettings, Target

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn"]), min_size=1
).filter(lambda name: not name.startswith("-") and name.isprintable() and len(name) < 100)
table_names = names.filter(lambda name: "." not in name)
printable = names.filter(lambda name: name.casefold() != "row_key")
values = st.one_of(
    texts.filter(lambda text: "\0" not in text),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def filters(draw: st.DrawFn, columns: list[str]) -> Filter:
    column = draw(st.sampled_from(columns))
    kind = draw(st.sampled_from(["equals", "in", "last_days", "start"]))
    if kind == "equals":
        return Filter(column=column, equals=draw(values))
    if kind == "in":
        return Filter(column=column, one_of=tuple(draw(st.lists(values, min_size=1, max_size=4))))
    if kind == "last_days":
        return Filter(column=column, last_days=draw(st.integers(1, 1_000)))
    return Filter(column=column, start=draw(st.dates()).isoformat())


@st.composite
def datasets(draw: st.DrawFn) -> DatasetDefinition:
    primary, joined = draw(st.lists(table_names, min_size=2, max_size=2, unique=True))
    aliases = draw(st.lists(printable, min_size=2, max_size=5, unique_by=str.casefold))
    columns = {alias: f"{primary}.{draw(names)}" for alias in aliases}
    pairs = draw(st.dictionaries(table_names, names, min_size=1, max_size=2))
    return DatasetDefinition(
        name=draw(names),
        description=draw(texts),
        tables={primary: draw(names), joined: draw(names)},
        primary=primary,
        joins=(Join(table=joined, how="inner", on=pairs),),
        columns=columns,
        roles=Roles(buyer=aliases[0], product=aliases[1], row_key=tuple(aliases)),
        filters=tuple(draw(st.lists(filters(aliases), max_size=2))),
    )


@st.composite
def feature_configs(draw: st.DrawFn) -> FeatureConfigDefinition:
    def tower() -> tuple[FeatureDefinition, ...]:
        columns = draw(st.lists(printable, min_size=1, max_size=3, unique=True))
        rest = (
            FeatureDefinition(column=c, transforms=("bucketize",), buckets=7) for c in columns[1:]
        )
        return (FeatureDefinition(column=columns[0], primary=True, dim=8), *rest)

    def crosses(tower: tuple[FeatureDefinition, ...]) -> tuple[CrossDefinition, ...]:
        columns = tuple(feature.column for feature in tower)
        buckets = {column: 5 for column in columns[1:]}
        cross = CrossDefinition(columns=columns, buckets=99, crossing_buckets=buckets)
        return (cross,) if len(columns) > 1 and draw(st.booleans()) else ()

    buyer, product = tower(), tower()
    target = draw(st.none() | printable | st.builds(Target, column=printable, log1p=st.booleans()))
    return FeatureConfigDefinition(
        name=draw(names), description=draw(texts), dataset=draw(names), target=target,
        buyer=buyer, product=product, buyer_crosses=crosses(buyer),
        product_crosses=crosses(product),
    )  # fmt: skip


layers = st.one_of(
    st.builds(Dense, units=st.integers(1, 8192), l2=st.floats(0, 1)),
    st.builds(Dropout, rate=st.floats(0.01, 0.99)),
    st.builds(BatchNorm),
    st.builds(LayerNorm),
)
model_configs = st.builds(
    ModelConfigDefinition,
    name=names,
    description=texts,
    type=st.just("retrieval"),
    buyer_tower=st.lists(layers, max_size=3).map(tuple),
    product_tower=st.lists(layers, max_size=3).map(tuple),
    output_dim=st.integers(1, 4096),
    learning_rate=st.floats(1e-4, 1),
    retrieval=st.builds(RetrievalSettings, temperature=st.floats(1e-3, 100)),
)
