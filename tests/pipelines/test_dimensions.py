"""Every width and count of weights that the app shows of a model is that of the one built."""

import pytest
from hypothesis import HealthCheck, given, settings

import pipelines.tf_environment  # noqa: F401
from engine.previews import (
    FeaturesPreview,
    TowerFeatures,
    TowerPreview,
    rating_preview,
    tower_preview,
)
from engine.spec import FeatureConfig, ModelConfig
from tests.pipelines.any_features import SIZES, feature_configs, models
from tests.pipelines.small_examples import small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.data import stack_tensors  # noqa: E402
from pipelines.models.rating import Labels  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402

ROWS = 3
EXAMPLES = 200


def fields_of(tower: tf.keras.layers.Layer, inputs: object) -> list[int]:
    """Return how wide each field of a built tower is."""
    (fields,) = (part for part in tower.submodules if part.name == "fields")
    return [field.shape[1] for field in fields(inputs)]


def check_tower(
    built: tf.keras.layers.Layer, inputs: object, shown: TowerFeatures, preview: TowerPreview
) -> None:
    widths = iter(fields_of(built, inputs))
    for row in shown.features:
        assert row.widths == tuple(next(widths) for _ in row.transforms), row
        assert row.tensor_dim == sum(row.widths)
    assert next(widths, None) is None
    assert preview.input_dim == shown.tensor_dim
    assert preview.layers[-1].output_dim == built(inputs).shape[1]
    tables = [part for part in built.submodules if isinstance(part, tf.keras.layers.Embedding)]
    assert preview.embedding_parameters == sum(table.count_params() for table in tables)
    assert preview.parameters == built.count_params()


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(feature_configs(), models())
def test_what_the_app_shows_of_any_model_is_what_is_built(
    features: FeatureConfig, config: ModelConfig
) -> None:
    fitted = config.fitted(features)
    spec = small_spec().replace(features=fitted, model=config)
    model = TwoTowerModel(spec, SIZES, Labels(3, 1, 5))
    shown = FeaturesPreview("f", ROWS, fitted, SIZES)
    inputs = [
        stack_tensors({}, side, tf.constant(ROWS))
        for side in (fitted.buyer_inputs, fitted.product_inputs)
    ]
    if model.rating is None:
        model.query_tower(inputs[0])
        model.candidate_tower(inputs[1])
    else:
        assert model.raw_ratings(*inputs).shape == (ROWS,)
        rating = rating_preview(config, shown.buyer, shown.product)
        assert rating is not None
        assert rating.parameters == model.rating.count_params()
    towers = (model.query_tower, shown.buyer), (model.candidate_tower, shown.product)
    layers = config.buyer_tower, config.product_tower
    for (built, side), given_inputs, tower in zip(towers, inputs, layers, strict=True):
        preview = tower_preview(tower, config.output_dim, side, config.combine)
        check_tower(built, given_inputs, side, preview)
