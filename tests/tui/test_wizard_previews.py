"""What the wizard tells of features and models before they run."""

import re

import pytest

from tests.sample_data import write_groceries
from tests.tui.harness import in_loop
from tests.tui.wizard_app import GROCERIES, HUGE, Wizard, define, workspace_in


@pytest.fixture
def root(tmp_path):
    return workspace_in(tmp_path)


@in_loop
async def test_previews_show_the_engines_figures(root):
    define(root, GROCERIES, "more")
    write_groceries(root / "groceries")
    async with Wizard(root, size=HUGE) as wizard:
        for name in ("shelf", "basic", "titled"):
            await wizard.press("home" if name == "shelf" else "down")
            await wizard.settle()
            seen = wizard.engine.preview_features(name)
            model = wizard.engine.preview_model("standard", seen)
            text = wizard.text
            assert re.search(rf"{name} +{seen.rows:,} rows", text)
            assert f"of dataset {seen.dataset}" in text
            for tower in (seen.buyer, seen.product):
                assert f"{tower.tensor_dim:,} dims" in text
                for row in tower.features:
                    line = rf" {row.column} .*{row.vocabulary_size:,} values +{row.tensor_dim}"
                    assert re.search(line, text)
            for tower in (model.buyer, model.product):
                assert re.search(rf"embeddings +{tower.input_dim} +{figure(tower)}", text)
                for layer in tower.layers:
                    assert re.search(
                        rf"{layer.label} +{layer.output_dim} +{layer.parameters:,}", text
                    )
            assert re.search(rf"All weights +{model.parameters:,}", text)


def figure(tower):
    return f"{tower.embedding_parameters:,}"


@in_loop
async def test_towers_that_add_up_their_fields_are_as_wide_as_the_sum(root):
    summed = '[models.retrieval-sum]\ntype = "retrieval"\ncombine = "sum"\noutput_dim = 24\n'
    define(root, summed, "more")
    async with Wizard(root) as wizard:
        await wizard.settle()
        assert re.search(r"Buyer tower +summed to 24 dims", wizard.text)
        assert re.search(r"Product tower +summed to 24 dims", wizard.text)
