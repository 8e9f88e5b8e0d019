"""What the wizard begins with."""

from engine.api import Engine
from engine.scaffold import scaffold
from engine.workspace import Workspace
from tests.sample_data import write_ratings
from tui.screens.wizard.entries import first_choice


def test_the_first_choice_of_a_new_workspace_can_be_run(tmp_path):
    file = write_ratings(tmp_path / "ratings.csv", 50)
    scaffold([file], tmp_path, given={"target": "rating"})
    with Engine(Workspace(tmp_path), start_worker=False) as engine:
        definitions = engine.definitions()
    assert first_choice(definitions, None) == ("basic", "retrieval-sum")
