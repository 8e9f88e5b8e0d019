"""A vocabulary that is larger than memory is refused before anything is made of it."""

import psutil
import pytest

import pipelines.tf_environment  # noqa: F401
from tests.pipelines.small_examples import VOCABULARIES, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.errors import RunFailure  # noqa: E402
from pipelines.memory import check_memory, check_rows  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402

HUGE = {**VOCABULARIES, "buyer": 20_000_000_000}


def check(vocabularies, free_bytes=None, model=None, **params):
    spec = small_spec(model=model, **params)
    built = TwoTowerModel(spec, vocabularies)
    check_memory(built, spec.model, spec.params, vocabularies, free_bytes=free_bytes)


def test_a_vocabulary_that_does_not_fit_is_refused_with_the_figures():
    """4 dimensions each; buckets and smaller tables hardly count."""
    with pytest.raises(RunFailure) as refused:
        check(HUGE, free_bytes=10_000_000_000)
    assert "would need 4,080.0 GB of memory for 80,000,0" in refused.value.message
    assert "and 10.0 GB is free" in refused.value.message
    assert refused.value.message.endswith('that of "buyer" with 20,000,000,000 values.')
    assert "the feature a smaller dim" in refused.value.hint
    with pytest.raises(RunFailure) as refused:
        check(HUGE, free_bytes=1, model={"combine": "sum"})
    assert "the model a smaller output_dim" in refused.value.hint


def test_nothing_is_made_of_a_vocabulary_that_is_refused():
    before = psutil.Process().memory_info().rss
    with pytest.raises(RunFailure):
        check(HUGE)
    assert psutil.Process().memory_info().rss - before < 100_000_000


@pytest.mark.parametrize(
    ("model", "params", "each"),
    [
        ({"optimizer": "adagrad"}, {}, 34),
        ({"optimizer": "adam"}, {}, 51),
        ({"optimizer": "adam", "row_wise": True}, {}, 38),
        ({"optimizer": "sgd", "row_wise": True}, {"early_stopping": {"patience": 1}}, 46),
    ],
)
def test_each_weight_takes_what_its_optimizer_keeps_of_it(model, params, each):
    """Ids: 12 buyers, 4 buckets and a missing one, 14 products, 5 kinds."""
    weights = 12 * 4 + 5 * 3 + 14 * 4 + 5 * 2
    check(VOCABULARIES, free_bytes=weights * each, model=model, **params)
    with pytest.raises(RunFailure):
        check(VOCABULARIES, free_bytes=weights * each - 1, model=model, **params)


def test_rows_that_do_not_fit_are_refused_with_the_figures():
    check_rows(8_192, 1_000_000, free_bytes=2_000_000)
    with pytest.raises(RunFailure) as refused:
        check_rows(30_000_000, 6_000_000_000, free_bytes=9_000_000_000)
    assert refused.value.message == (
        "The Trainer holds all rows in memory: the first 30,000,000 take 6.0 GB, putting them in "
        "order takes 12.0 GB more, and 9.0 GB is free."
    )
