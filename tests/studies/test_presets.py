"""What a first run is made of, by the data's size: what `init` writes and a plan leaves open."""

import math

import pytest

from engine.definitions.reading import read_definitions
from engine.planning import Plan, QuickTestRequest, plan_quick_test
from engine.scaffold import scaffold
from tests.sample_data import write_ratings

FIRST = {"retrieval": "retrieval-sum", "ranking": "ranking-sum", "multitask": "multitask-sum"}


@pytest.fixture(scope="module", params=[1_000, 20_000])
def plans(request, tmp_path_factory) -> dict[str, Plan]:
    """Return the plan of the first run of each type on so many rows."""
    root = tmp_path_factory.mktemp("first")
    file = write_ratings(root / "ratings.csv", request.param)
    made = scaffold([file], root, given={"target": "rating"})
    assert set(FIRST.values()) <= set(made.model_configs)
    definitions = read_definitions(root / "definitions")
    return {
        kind: plan_quick_test(
            QuickTestRequest(
                feature_config="basic" if kind == "retrieval" else "rated", model_config_name=name
            ),
            definitions,
            root=root,
        )
        for kind, name in FIRST.items()
    }


def test_a_first_run_takes_all_rows_and_enough_steps(plans):
    for kind, plan in plans.items():
        assert plan.params.sample_percent == 100
        steps = math.ceil(plan.rows.train / plan.params.batch_size)
        wanted = 500 if kind == "ranking" else 100
        assert steps >= wanted or plan.params.batch_size == 32


def test_a_first_run_adds_up_embeddings_of_one_width(plans):
    for plan in plans.values():
        assert plan.model.combine == "sum"
        features = (*plan.features.buyer, *plan.features.product)
        assert {f.dim for f in features if f.dim} == {plan.model.output_dim}


def test_small_groups_make_the_softmax_as_wide_everywhere(plans):
    for kind in ("retrieval", "multitask"):
        assert plans[kind].model.retrieval.softmax_group == 256


def test_ratings_are_learnt_without_their_unit(plans):
    for kind in ("ranking", "multitask"):
        target = plans[kind].features.target
        assert target is not None
        assert target.normalize


def test_a_ranking_model_adds_a_penalised_product_to_the_biases(plans):
    rating = plans["ranking"].model.rating
    assert rating.layers is None
    assert rating.biases
    rows = sum(plans["ranking"].rows.model_dump().values())
    expected = {1_000: (0.5, 0.008), 20_000: (0.2, 0.003)}[rows]
    assert (rating.embedding_l2, plans["ranking"].params.learning_rate) == expected


def test_a_multitask_model_weights_the_dimensions_of_what_it_retrieves_by(plans):
    model = plans["multitask"].model
    assert model.retrieval.normalize
    assert model.rating.layers == ()
    assert not model.rating.dot_product
    assert model.ranking_weight > model.retrieval_weight
