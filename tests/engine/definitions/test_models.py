import pytest

from engine.definitions import DatasetDefinition, Filter, ModelConfigDefinition, Roles
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
