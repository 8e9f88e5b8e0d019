import pytest

from engine.definitions import DatasetDefinition, Filter, ModelConfigDefinition, Roles
from engine.definitions.checks import check_model
from engine.definitions.presets import PRESETS
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm


def model(**changes: object) -> ModelConfigDefinition:
    return ModelConfigDefinition.model_validate({"name": "m", "type": "retrieval", **changes})


def test_name_and_description_do_not_count_in_the_hash():
    first = model(preset="deep")
    assert first.hash == model(preset="deep", name="n", description="d").hash
    assert first.hash == model(preset="deep", learning_rate=0.003).hash
    assert first.hash != model(preset="deep", learning_rate=0.02).hash


def test_layers_of_another_kind_give_another_hash():
    hashes = {
        model(buyer_tower=(layer,), product_tower=(), output_dim=8).hash
        for layer in (BatchNorm(), LayerNorm(), Dropout(rate=0.5), Dense(units=1))
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("preset", "buyer", "product"),
    [
        ("minimal", "64→32", "64→32"),
        ("standard", "128→64→32", "128→64→32"),
        ("deep", "256→128→64→32", "256→128→64→32"),
        ("asymmetric", "64→32", "256→128→64→32"),
        ("regularized", "128→64→32", "128→64→32"),
    ],
)
def test_a_preset_resolves_to_the_documented_towers(preset: str, buyer: str, product: str):
    resolved = model(preset=preset).resolve()
    assert resolved.buyer_tower.structure(resolved.output_dim) == buyer
    assert resolved.product_tower.structure(resolved.output_dim) == product
    layers = resolved.buyer_tower.layers
    drops = [layer.rate for layer in layers if isinstance(layer, Dropout)]
    penalties = {layer.l2 for layer in layers if isinstance(layer, Dense)}
    regularized = preset == "regularized"
    assert (drops, penalties) == (([0.2, 0.2], {1e-5}) if regularized else ([], {0}))


def test_regularized_has_l2_and_dropout():
    assert PRESETS["regularized"].buyer_tower.layers == (
        Dense(units=128, l2=1e-5),
        Dropout(rate=0.2),
        Dense(units=64, l2=1e-5),
        Dropout(rate=0.2),
    )


def test_own_layers_and_settings_reach_the_resolved_model():
    resolved = model(
        buyer_tower=({"kind": "dense", "units": 3},),
        product_tower=({"kind": "layer_norm"},),
        output_dim=5,
        optimizer="sgd",
        learning_rate=0.5,
        batch_size=64,
        retrieval={"temperature": 0.7},
    ).resolve()
    assert resolved.buyer_tower.layers == (Dense(units=3),)
    assert resolved.product_tower.layers == (LayerNorm(),)
    assert (resolved.output_dim, resolved.optimizer, resolved.batch_size) == (5, "sgd", 64)
    assert (resolved.learning_rate, resolved.retrieval.temperature) == (0.5, 0.7)


def test_a_definition_as_written_validates_to_itself():
    own = model(
        buyer_tower=({"kind": "batch_norm"},), product_tower=(), output_dim=5, description="x"
    )
    assert ModelConfigDefinition.model_validate(own.as_written()) == own
    dataset = DatasetDefinition(
        name="d",
        tables={"t": "t.csv"},
        primary="t",
        roles=Roles(buyer="b", product="p"),
        filters=(Filter(column="b", one_of=(1, 2.5, "x", True)),),
    )
    assert DatasetDefinition.model_validate(dataset.as_written()) == dataset
    assert dataset.as_written()["filters"] == [{"column": "b", "in": [1, 2.5, "x", True]}]


def problems(**changes: object) -> dict[str, str]:
    return {".".join(map(str, path)): reason for path, reason in check_model(model(**changes))}


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"preset": "deep", "rating": {}}, "rating", "means nothing to a retrieval model"),
        (
            {"type": "ranking", "preset": "deep", "retrieval": {}},
            "retrieval",
            "means nothing to a ranking model",
        ),
        (
            {"type": "ranking", "preset": "deep", "ranking_weight": 2.0},
            "ranking_weight",
            "means nothing to a ranking model",
        ),
        (
            {
                "type": "multitask",
                "preset": "deep",
                "retrieval_weight": 0.0,
                "ranking_weight": 0.0,
            },
            "ranking_weight",
            "must not both be 0",
        ),
        (
            {"type": "ranking", "preset": "deep", "rating": {"preset": "deep", "layers": ()}},
            "rating.layers",
            "give either preset or layers",
        ),
        (
            {
                "type": "ranking",
                "preset": "deep",
                "rating": {"preset": "none", "dot_product": False},
            },
            "rating.dot_product",
            "must be true where there is no head",
        ),
        ({"combine": "sum", "preset": "deep"}, "preset", "takes none"),
        ({"combine": "sum"}, "output_dim", "is missing"),
        (
            {"combine": "sum", "output_dim": 8, "buyer_tower": (Dense(units=8),)},
            "buyer_tower.0",
            "takes no dense layers",
        ),
        ({"preset": "deep", "optimizer": "sgd", "row_wise": True}, "row_wise", "not with sgd"),
    ],
)
def test_settings_without_a_meaning_are_told_at_their_key(
    changes: dict[str, object], key: str, told: str
):
    assert told in problems(**changes)[key]


def test_sound_models_of_every_type_have_no_problem():
    for changes in (
        {"preset": "deep"},
        {"combine": "sum", "output_dim": 8, "row_wise": True},
        {"type": "ranking", "preset": "deep", "rating": {"loss": "huber", "preset": "none"}},
        {"type": "multitask", "preset": "deep", "retrieval_weight": 0.0},
    ):
        assert problems(**changes) == {}


def test_the_hash_counts_what_came_later_only_where_it_is_used():
    """Hashes that experiments stored must go on meaning the same definition."""
    assert model(preset="standard").hash == model(preset="standard", combine="mlp").hash
    hashes = {
        model(preset="standard", **changes).hash
        for changes in (
            {},
            {"row_wise": True},
            {"retrieval": {"own_history": True}},
            {"retrieval": {"softmax_group": 64}},
            {"type": "ranking"},
            {"type": "multitask", "ranking_weight": 0.5},
        )
    }
    assert len(hashes) == 6


def test_a_rating_head_resolves_from_its_preset():
    def head(**rating: object) -> str:
        settings = model(type="ranking", preset="standard", rating=rating).resolve().rating
        assert settings is not None
        return settings.structure()

    assert [head(), head(preset="standard"), head(preset="deep"), head(preset="none")] == [
        "64→1",
        "256→64→1",
        "512→256→64→1",
        "u·v",
    ]
    assert head(layers=({"kind": "dense", "units": 7},)) == "7→1"
