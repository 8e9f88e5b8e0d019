"""Any features of two towers, and any model of them, for tests that must hold for all."""

from hypothesis import strategies as st

from engine.spec import (
    TRANSFORMS,
    BatchNorm,
    Cross,
    CrossPart,
    Dense,
    Dropout,
    Feature,
    FeatureConfig,
    Layer,
    LayerNorm,
    ModelConfig,
    RatingSettings,
    Tower,
)

SIZES = {"user": 3, "item": 4, "word": 5, "empty": 0}
USER = Feature(column="user", data_type="text", transforms=("embed",), dim=4, primary=True)
ITEM = Feature(column="item", data_type="text", transforms=("embed",), dim=2, primary=True)


def history(column: str = "bought", length: int = 3) -> Feature:
    return Feature(
        column=column,
        data_type="history",
        transforms=("average",),
        dim=2,
        max_length=length,
        vocabulary="item",
    )


@st.composite
def features_of(draw: st.DrawFn, column: str) -> Feature:
    """Return a feature of any data type with any of its transforms."""
    kind = draw(st.sampled_from(sorted(TRANSFORMS)))
    if kind == "history":
        return history(column, draw(st.integers(1, 5)))
    if kind == "text":
        column = draw(st.sampled_from(["word", "empty"]))
    chosen = draw(st.sets(st.sampled_from(TRANSFORMS[kind]), min_size=1))
    embeds = {"embed", "bucketize"} & chosen
    return Feature(
        column=column,
        data_type=kind,
        transforms=tuple(t for t in TRANSFORMS[kind] if t in chosen),
        dim=draw(st.integers(1, 7)) if embeds else None,
        buckets=draw(st.integers(2, 9)) if "bucketize" in chosen else None,
    )


@st.composite
def crosses(draw: st.DrawFn) -> Cross:
    parts = [
        CrossPart(column="user", data_type="text"),
        CrossPart(column="age", data_type="numeric", buckets=draw(st.integers(2, 9))),
        CrossPart(column="at", data_type="temporal", buckets=3),
    ]
    return Cross(
        parts=tuple(parts[: draw(st.integers(2, 3))]),
        buckets=draw(st.integers(2, 99)),
        dim=draw(st.integers(1, 7)),
    )


@st.composite
def feature_configs(draw: st.DrawFn) -> FeatureConfig:
    def rest(prefix: str) -> list[Feature]:
        count = draw(st.integers(0, 4))
        found = [draw(features_of(f"{prefix}{i}")) for i in range(count)]
        return list({feature.column: feature for feature in found}.values())

    return FeatureConfig(
        name="f",
        dataset="d",
        buyer=(USER, *rest("b")),
        product=(*rest("p"), ITEM),
        buyer_crosses=tuple(draw(st.lists(crosses(), max_size=2))),
        product_crosses=tuple(draw(st.lists(crosses(), max_size=1))),
    )


def layers(*widths: int) -> st.SearchStrategy[Layer]:
    """Return layers of any kind; dense ones have one of the widths, or any where there is none."""
    units = st.sampled_from(widths) if widths else st.integers(1, 9)
    return st.one_of(
        st.builds(Dense, units=units, activation=st.sampled_from(["relu", "gelu", "linear"])),
        st.builds(Dropout, rate=st.just(0.5)),
        st.just(BatchNorm()),
        st.just(LayerNorm()),
    )


@st.composite
def models(draw: st.DrawFn) -> ModelConfig:
    """Return a model config of any type, with towers and a rating head of any layers."""
    model_type = draw(st.sampled_from(["retrieval", "ranking", "multitask"]))
    combine = draw(st.sampled_from(["mlp", "sum"]))
    output_dim = draw(st.integers(1, 7))
    towers = st.lists(layers(output_dim) if combine == "sum" else layers(), max_size=3).map(
        lambda chosen: Tower(layers=tuple(chosen))
    )
    heads = st.none() | st.lists(layers(), max_size=2).map(tuple)
    rating = RatingSettings(layers=draw(heads), biases=draw(st.booleans()))
    return ModelConfig(
        name="m",
        type=model_type,
        combine=combine,
        buyer_tower=draw(towers),
        product_tower=draw(towers),
        output_dim=output_dim,
        rating=None if model_type == "retrieval" else rating,
        learning_rate=0.01,
    )
