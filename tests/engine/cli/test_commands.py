import json

import pytest
from click.testing import CliRunner

from engine.cli import towerlab
from engine.cli.group import Invocation, command
from tests.engine.cli.command import RUN, Command, set_behaviour
from tests.faults.waiting import wait_for

SHOWN = {
    "number", "uid", "name", "description", "tags", "status", "stage", "progress", "model_type",
    "backend", "dataset", "feature_config", "model_config", "params", "metrics", "baseline",
    "interval", "references", "verdicts", "seen_in_train", "components", "rows", "created_at",
    "started_at", "ended_at", "duration_seconds", "error", "parent", "definitions", "cloud",
    "artifacts_uri", "primary_metric", "epochs_trained", "rows_without_target",
    "index",
}  # fmt: skip


def test_a_run_with_wait_and_json_prints_one_object(empty: Command) -> None:
    done = empty(*RUN, "--wait", "--json", "--epochs", "2", "--seed", "7", "--tag", "x")
    assert done.code == 0
    seen = done.json
    assert seen["verdicts"][0].startswith("Only ")  # of the 300 rows of this workspace
    assert done.err == f"Warning: {seen['verdicts'][0]}\n"
    assert set(seen) == SHOWN
    assert seen["status"] == "completed"
    assert seen["params"]["epochs"] == 2
    assert seen["params"]["seed"] == 7
    assert seen["tags"] == ["x"]
    assert seen["metrics"]["recall_at_100"] == 0.5


def test_a_run_without_wait_says_how_to_watch_it(empty: Command) -> None:
    done = empty(*RUN)
    assert done.code == 0
    assert "Experiment #1 is queued" in done.out
    assert "towerlab show 1 --wait" in done.out
    waited = empty("show", "1", "--wait", "--json")
    assert waited.code == 0
    assert waited.json["status"] == "completed"


def test_progress_is_told_in_lines_where_nobody_draws(empty: Command) -> None:
    done = empty(*RUN, "--wait", "--epochs", "2")
    lines = [line.strip() for line in done.out.splitlines()]
    assert done.code == 0
    assert any(line.startswith("✔ Examples  0:0") for line in lines)
    assert "epoch 2 of 2   loss 0.500   val 0.500   1,000 examples/s" in lines
    assert any(
        line.split() == ["Recall@100", "0.500", "0.400", "0.450", "to", "0.550"] for line in lines
    )
    assert "Recall@100 of 0.5000 is above popularity's 0.4000" in done.out


def test_a_failed_run_exits_1_and_says_why(empty: Command) -> None:
    set_behaviour(empty.folder, '{"fails_in": "Transform"}')
    done = empty(*RUN, "--wait")
    assert done.code == 1
    assert "Transform: " in done.out
    assert "was told to fail" in done.out
    assert empty("show", "1").code == 0


def test_a_cancelled_run_exits_1(empty: Command) -> None:
    set_behaviour(empty.folder, '{"seconds": 60}')
    assert empty(*RUN).code == 0
    done = empty("cancel", "1")
    assert (done.code, done.out) == (0, "Experiment #1 is being cancelled.\n")
    waited = empty("show", "1", "--wait", "--json")
    assert waited.code == 1
    assert waited.json["status"] == "cancelled"
    again = empty("cancel", "1")
    assert again.code == 2
    assert "has ended" in again.err


def test_a_rerun_changes_what_it_is_told(empty: Command) -> None:
    assert empty(*RUN, "--wait").code == 0
    done = empty(
        "rerun", "1", "--set", "learning_rate=0.005", "--set", "epochs=1", "--wait", "--json"
    )
    assert done.code == 0
    assert done.json["parent"] == 1
    assert done.json["params"]["learning_rate"] == 0.005
    assert done.json["params"]["epochs"] == 1
    for wrong in ("speed=9", "epochs=many", "epochs"):
        refused = empty("rerun", "1", "--set", wrong)
        assert refused.code == 2, wrong
        assert refused.err.startswith("Error: ")


def test_a_thinned_history_says_so_and_a_running_experiment_is_cancelled_first(
    empty: Command,
) -> None:
    assert empty(*RUN, "--wait", "--epochs", "25").code == 0
    shown = empty("history", "1").out.splitlines()
    assert shown[-1] == "6 of 25 epochs: long runs keep every 5th and the last"
    set_behaviour(empty.folder, '{"seconds": 60}')
    assert empty(*RUN).code == 0
    deleted = empty("delete", "2", "--yes")
    assert deleted.out == "Experiment #2 is being cancelled first, then deleted.\n"


def test_deleting_asks_or_is_told(empty: Command) -> None:
    assert empty(*RUN, "--wait").code == 0
    refused = empty("delete", "1")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert empty("show", "1").code == 0
    assert empty("delete", "1", "--yes").code == 0
    wait_for(lambda: empty("show", "1").code == 2, what="the experiment to be gone")
    assert empty("gc").code == 0


def test_the_list_shows_each_experiment(used: Command) -> None:
    done = used("list", env={"COLUMNS": "80"})
    assert done.code == 0
    heading, row, footer = done.out.splitlines()
    assert heading.split() == ["#", "Status", "Name", "Configs", "Result", "Δ", "Age"]
    assert row.startswith("1  ✔ completed")
    assert "0.500  ▲ +0.100" in row
    assert footer.startswith("1 of 1 experiments of ratings")
    assert all(len(line) <= 80 for line in done.out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--status", "completed"), 1),
        (("--status", "failed"), 0),
        (("--model-type", "retrieval", "--dataset", "ratings"), 1),
        (("--feature-config", "rated"), 0),
        (("--search", "first"), 1),
        (("--search", "#1"), 1),
        (("--search", "nothing like it"), 0),
        (("--limit", "1", "--page", "2"), 0),
    ],
)
def test_the_list_is_filtered(used: Command, arguments: tuple[str, ...], count: int) -> None:
    done = used("list", "--json", *arguments)
    assert done.code == 0
    assert len(done.json["items"]) == count
    assert all(0.09 < item["difference"]["value"] < 0.11 for item in done.json["items"])
    if not count:
        told = used("list", *arguments)
        assert told.out == ""
        assert told.err.endswith(".\n")


def test_foreign_text_is_never_interpreted(used: Command) -> None:
    for arguments in (("list",), ("show", "1"), ("logs", "1")):
        done = used(*arguments)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "\x07" not in done.out
    assert "first ␛]0;owned␇" in used("show", "1").out
    assert used("show", "1", "--json").json["name"] == "first \x1b]0;owned\x07"


def test_an_experiment_is_shown_with_result_and_components(used: Command) -> None:
    out = used("show", "1").out
    for expected in ("✔ completed", "ratings", "retrieval-standard (retrieval)", "128→64→32",
                     "a, b", "eval 1,500 · test 500", "above popularity", "✔ Train"):  # fmt: skip
        assert expected in out


def test_history_and_logs_are_told_by_either_name(used: Command) -> None:
    history = used("history", "1")
    assert history.code == 0
    assert [line.split()[:2] for line in history.out.splitlines()[1:]] == [
        ["1", "1.000"], ["2", "0.500"], ["3", "0.333"],
    ]  # fmt: skip
    assert used("history", "1", "--json").json["epochs"] == [0, 1, 2]
    ours, tfx = used("logs", "1", "Stats"), used("logs", "1", "StatisticsGen")
    assert ours.code == 0
    assert ours.out == tfx.out
    assert "Stats starts" in ours.out.splitlines()[0]
    newest_first = used("logs", "1", "--json").json
    assert newest_first[0]["message"] == "Train ends"
    assert used("logs", "1", "Nothing").code == 2
    followed = used("logs", "1", "--follow", "--json")
    assert followed.code == 0
    assert json.loads(followed.out.splitlines()[-1])["message"] == "Train ends"


@pytest.mark.parametrize("kind", ["datasets", "features", "models"])
def test_definitions_are_listed_shown_and_checked(used: Command, kind: str) -> None:
    listed = used(kind, "list", "--json").json
    name = listed[kind][0]["name"]
    assert name in used(kind, "list").out
    assert f"[{kind}.{name}]" in used(kind, "show", name).out
    assert used(kind, "show", name, "--json").json["definition"]
    assert used(kind, "validate").code == 0
    checked = used(kind, "validate", name, "--json").json
    assert checked == {"valid": True, "problems": [], "warnings": []}
    missing = used(kind, "show", "nothing")
    assert missing.code == 2
    assert "There is no" in missing.err


def test_a_wrong_definition_is_told_with_its_line(empty: Command) -> None:
    features = empty.folder / "definitions" / "features.toml"
    features.write_text(features.read_text().replace('dataset = "ratings"', 'dataset = "rating"'))
    done = empty("features", "validate")
    assert done.code == 2
    assert "features.toml:4: features.basic.dataset" in done.err
    refused = empty(*RUN)
    assert refused.code == 2
    assert "features.toml:4" in refused.err


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("datasets", '"ratings.csv"', '"gone.csv"', "datasets.ratings.tables.ratings: table"),
        ("datasets", 'timestamp = "at"', 'timestamp = "title"', "roles.timestamp: column"),
        ("features", "[features.basic]", '[features.basic]\ntarget = "title"', "basic.target: the"),
        ("features", 'column = "item"', 'column = "itm"', "features.basic.product"),
    ],
)
def test_what_a_run_would_refuse_validate_refuses_with_its_line(
    empty: Command, kind: str, old: str, new: str, said: str
) -> None:
    file = empty.folder / "definitions" / f"{kind}.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    done = empty(kind, "validate")
    assert done.code == 2
    assert f"definitions/{kind}.toml:" in done.err
    assert said in done.err
    assert empty(*RUN).code == 2


@pytest.mark.parametrize("kind", ["datasets", "features", "models"])
@pytest.mark.parametrize("text", ["[modles.m2]\n", "[models.m2\n"])
def test_what_belongs_to_no_kind_is_told_by_every_kind(
    empty: Command, kind: str, text: str
) -> None:
    (empty.folder / "definitions" / "odd.toml").write_text(text)
    done = empty(kind, "validate")
    assert done.code == 2
    assert "odd.toml:1" in done.err


def test_a_file_that_cannot_be_read_is_not_called_empty(empty: Command) -> None:
    (empty.folder / "definitions" / "features.toml").write_text("[features\n")
    done = empty("features", "list")
    assert "features.toml:1" in done.err
    assert "no feature configs yet" not in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "99"), "no experiment #99"),
        (("run", "--feature-config", "basik", "--model-config", "retrieval-standard"), "basic"),
        ((*RUN, "--dataset", "other"), "is of dataset 'ratings'"),
        ((*RUN, "--batch-size", "60000"), "batch"),
        ((*RUN, "--sample", "0"), "--sample"),
        ((*RUN, "--split", "time-holdout"), "holdout"),
        (("run",), "--feature-config"),
        (("frobnicate",), "No such command"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    used: Command, arguments: tuple[str, ...], said: str
) -> None:
    done = used(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err


def test_options_stand_before_or_after_the_command(used: Command) -> None:
    folder = str(used.folder)
    for arguments in (
        ["--workspace", folder, "--json", "datasets", "list"],
        ["datasets", "--json", "list", "--workspace", folder],
        ["datasets", "list", "--workspace", folder, "--json"],
    ):
        done = CliRunner().invoke(towerlab, arguments)
        assert done.exit_code == 0, arguments
        assert json.loads(done.stdout)["datasets"][0]["name"] == "ratings"


def test_the_nearest_workspace_upwards_is_taken(used: Command, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(used.folder / "definitions")
    assert json.loads(CliRunner().invoke(towerlab, ["paths", "--json"]).stdout)["workspace"] == str(
        used.folder
    )
    monkeypatch.chdir(tmp_path)
    for arguments in (["list"], ["list", "--workspace", "nowhere"]):
        done = CliRunner().invoke(towerlab, arguments)
        assert done.exit_code == 2
        assert "towerlab init" in done.stderr


def test_next_commands_can_be_typed_as_they_are_printed(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "here"
    program = folder / ".venv" / "bin" / "towerlab"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin")
    root = folder / "towerlab-demo"
    assert command("show 1", root) == ".venv/bin/towerlab show 1 --workspace towerlab-demo"
    root.mkdir()
    (root / "config.toml").write_text("")
    monkeypatch.chdir(root)
    assert command("show 1", root) == f"{program} show 1"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command("show 1", root) == "towerlab show 1"


class _Broken(Invocation):
    def engine(self):
        raise RuntimeError("bad luck; password=hunter2 Bearer abc.def https://u:s3cret@host/")


def test_an_unexpected_error_leaves_a_report_without_secrets(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = CliRunner().invoke(towerlab, ["list"], obj=_Broken())
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    (report,) = (tmp_path / "towerlab").iterdir()
    assert str(report) in done.stderr
    text = report.read_text()
    assert "RuntimeError: bad luck" in text
    assert not any(secret in text for secret in ("hunter2", "abc.def", "s3cret"))
    assert report.stat().st_mode & 0o077 == 0


def test_without_a_command_the_help_is_shown() -> None:
    done = CliRunner().invoke(towerlab, [])
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: towerlab")
    assert done.stdout.index("demo") < done.stdout.index("doctor")


def test_an_argument_that_is_no_text_is_refused(used: Command) -> None:
    refused = used("list", "--search=\udcff")
    assert refused.code == 2
    assert "not valid UTF-8" in refused.err
