"""The weights that a preview promises are those of the built towers."""

import pytest

import pipelines.tf_environment  # noqa: F401
from engine.previews import tower_features, tower_preview
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm, Tower
from tests.pipelines.small_examples import VOCABULARIES, small_examples, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.models.retrieval import RetrievalModel  # noqa: E402

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
    model = RetrievalModel(spec, vocabularies)
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
