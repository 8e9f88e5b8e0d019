"""The weights that a preview promises are those of the built towers."""

import pytest

import pipelines.tf_environment  # noqa: F401
from engine.previews import rating_preview, tower_features, tower_preview
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm, Tower
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.models.rating import Labels  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402

TOWERS = [
    Tower(),
    Tower(layers=(Dense(units=16), Dense(units=8, activation="gelu", l1=0.1))),
    Tower(layers=(BatchNorm(), Dense(units=7), Dropout(rate=0.5), LayerNorm(), BatchNorm())),
]


@pytest.mark.parametrize("tower", TOWERS, ids=lambda tower: f"{len(tower.layers)} layers")
@pytest.mark.parametrize("kinds", [0, VOCABULARIES["kind"]])
def test_parameters_equal_those_of_the_keras_model(tower, kinds):
    vocabularies = {**VOCABULARIES, "kind": kinds}
    spec = small_spec(tower=tower)
    model = TwoTowerModel(spec, vocabularies)
    examples = small_examples(9)
    for built, inputs, features in (
        (model.query_tower, examples.query, spec.features.buyer),
        (model.candidate_tower, examples.candidate, spec.features.product),
    ):
        # Nothing but missing values: the smallest ids fit the smallest table.
        output = built(inputs._replace(ids=inputs.ids * 0))
        preview = tower_preview(
            tower, spec.model.output_dim, tower_features(features, vocabularies)
        )
        assert preview.parameters == built.count_params()
        assert preview.layers[-1].output_dim == output.shape[-1]
        tables = [
            layer for layer in built.submodules if isinstance(layer, tf.keras.layers.Embedding)
        ]
        assert preview.embedding_parameters == sum(table.count_params() for table in tables)


@pytest.mark.parametrize("layers", [None, (), (Dense(units=6), LayerNorm())])
@pytest.mark.parametrize("combine", ["mlp", "sum"])
def test_parameters_of_ratings_and_sums_equal_those_of_the_keras_model(layers, combine):
    rating = {"layers": layers, "biases": layers != ()}
    model_config = {"type": "ranking", "rating": rating, "combine": combine, "output_dim": 4}
    spec = small_spec(tower=Tower(layers=(BatchNorm(),)), model=model_config)
    features = spec.features.replace(
        product=[f.replace(dim=f.dim and 4) for f in spec.features.product]
    )
    spec = spec.replace(features=features)
    model = TwoTowerModel(spec, VOCABULARIES, Labels(3, 1, 5))
    examples = small_examples(9)
    model.raw_ratings(examples.query, examples.candidate)
    buyer = tower_features(features.buyer, VOCABULARIES)
    product = tower_features(features.product, VOCABULARIES)
    assert rating_preview(spec.model, buyer, product).parameters == model.rating.count_params()
    preview = tower_preview(spec.model.product_tower, 4, product, combine)
    assert preview.parameters == model.candidate_tower.count_params()
