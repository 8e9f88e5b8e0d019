from pathlib import Path

import pytest

from engine.doctor import examine, lingering
from engine.findings import Check
from engine.workspace import Workspace


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "definitions").mkdir()
    return Workspace(tmp_path)


def test_a_sound_workspace_has_nothing_missing(workspace: Workspace) -> None:
    found = by_name(list(examine(workspace)))
    assert {"Python", "memory", "disk", "log-out", "workspace", "database", "worker"} <= set(found)
    assert found["workspace"].state == "ok"
    assert found["database"].state == "ok"
    assert found["definitions"].state == "ok"


def test_without_a_workspace_it_says_how_to_make_one() -> None:
    found = by_name(list(examine(None)))
    assert found["workspace"].state == "warning"
    assert "towerlab init" in found["workspace"].hint


def test_wrong_settings_are_missing_and_name_the_key(workspace: Workspace) -> None:
    (workspace.root / "config.toml").write_text("[worker]\nspeed = 3\n")
    found = by_name(list(examine(Workspace(workspace.root))))
    assert found["workspace"].state == "missing"
    assert "worker.speed" in found["workspace"].message


def test_a_damaged_database_is_missing(workspace: Workspace) -> None:
    workspace.prepare()
    (workspace.state / "towerlab.db").write_bytes(b"this is no database" * 1000)
    found = by_name(list(examine(workspace)))
    assert found["workspace"].state == "missing"
    assert "damaged" in found["workspace"].message


def test_a_wrong_definition_is_told_with_its_line(workspace: Workspace) -> None:
    (workspace.definitions / "x.toml").write_text("[features.a]\ndataset = 3\n")
    found = by_name(list(examine(workspace)))
    assert found["definitions"].state == "warning"
    assert "x.toml:2" in found["definitions"].message


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "ok"),
        ({"logind.conf": "[Login]\n#KillUserProcesses=yes\n"}, "ok"),
        ({"logind.conf": "[Login]\nKillUserProcesses=yes\n"}, "warning"),
        (
            {
                "logind.conf": "[Login]\nKillUserProcesses=yes\n",
                "logind.conf.d/90.conf": "[Login]\nKillUserProcesses=no\n",
            },
            "ok",
        ),
        ({"logind.conf": "no section\n"}, "ok"),
    ],
)
def test_a_system_that_ends_runs_at_log_out_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], state: str
) -> None:
    monkeypatch.setenv("LOGNAME", "nobody-lingers")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = lingering((tmp_path / "logind.conf", tmp_path / "logind.conf.d"))
    assert found.state == state
