"""What speaks against more of an experiment."""

import pytest

from engine.errors import NotAllowed
from engine.promote import doubts_about
from tests.tui.harness import Shop


def test_an_experiment_that_goes_on_is_not_promoted(tmp_path):
    shop = Shop(tmp_path)
    try:
        run = shop.start()
        with pytest.raises(NotAllowed, match="only one that has ended can be promoted"):
            shop.engine.promotion(run.number)
    finally:
        shop.close()


@pytest.mark.parametrize(
    ("measured", "doubt"),
    [
        ({"recall": 0.2, "low": 0.03, "high": 0.07}, None),
        (
            {"recall": 0.16, "low": -0.01, "high": 0.03},
            "It doesn't beat its baseline: Recall@100 of 0.1600 can't be told from popularity's"
            " 0.1500 (difference +0.0100, -0.0100 to +0.0300).",
        ),
        (
            {"recall": 0.1, "low": -0.07, "high": -0.03},
            "It doesn't beat its baseline: Recall@100 of 0.1000 is worse than popularity's"
            " 0.1500 (difference -0.0500, -0.0700 to -0.0300).",
        ),
    ],
)
def test_a_result_that_does_not_beat_its_baseline_is_doubted(tmp_path, measured, doubt):
    shop = Shop(tmp_path)
    try:
        run = shop.start()
        run.completes(**measured)
        assert list(doubts_about(shop.engine.get(run.number))) == ([doubt] if doubt else [])
    finally:
        shop.close()
