"""What model configs ask of features and data, found before anything is submitted."""

from pathlib import Path
from textwrap import dedent

import pytest

from engine.errors import InvalidInput
from tests.engine.planned import RATINGS, Workspace


@pytest.fixture
def ratings(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


RATED = RATINGS + dedent(
    """\

    [features.rated]
    dataset = "ratings"
    target = "rating"
    buyer = [{ column = "user", primary = true, dim = 8 }]
    product = [{ column = "item", primary = true, dim = 8 }, { column = "title", dim = 4 }]

    [models.ranker]
    type = "ranking"
    preset = "minimal"

    [models.clicks]
    type = "ranking"
    preset = "minimal"
    rating = { loss = "binary_crossentropy" }

    [models.summed]
    type = "retrieval"
    combine = "sum"
    output_dim = 8
    """
)


def test_a_ranking_model_needs_a_target_and_samples_rows(ratings: Workspace):
    ratings.define(RATED)
    with pytest.raises(InvalidInput, match='feature config "basic" has no target'):
        ratings.plan(model_config_name="ranker")
    plan = ratings.plan(feature_config="rated", model_config_name="ranker")
    assert plan.params.sample_by == "row"
    assert str(plan.features.target) == "rating"
    by_buyer = ratings.plan(
        feature_config="rated", model_config_name="ranker", sample_by="buyer", early_stopping=2
    )
    assert by_buyer.params.sample_by == "buyer"
    assert by_buyer.params.early_stopping is not None
    assert by_buyer.params.early_stopping.patience == 2


def test_labels_of_a_binary_loss_lie_between_0_and_1(ratings: Workspace):
    ratings.define(RATED)
    with pytest.raises(InvalidInput, match="rating") as told:
        ratings.plan(feature_config="rated", model_config_name="clicks")
    assert "Choose the loss mse or huber" in told.value.hint


def test_what_is_added_up_has_the_width_of_the_sum(ratings: Workspace):
    ratings.define(RATED)
    joined = ratings.plan(feature_config="rated", model_config_name="ranker").features
    summed = ratings.plan(feature_config="rated", model_config_name="summed")
    dims = {f.column: f.dim for f in (*summed.features.buyer, *summed.features.product)}
    assert set(dims.values()) <= {summed.model.output_dim, None}
    assert [f.dim for f in joined.product] != [f.dim for f in summed.features.product]
