"""`statistics`, `histograms` and what `history` says of weights, as commands."""

import io
import json

import pytest
from rich.console import Console

from engine.cli.insight_views import (
    histograms_view,
    sparkline,
    statistics_view,
    vocabularies_table,
    weights_table,
)
from engine.cli.views import history_table
from engine.spec.run_folder import (
    SCHEMA_FILE,
    STATISTICS_FILES,
    GradientStats,
    Vocabulary,
    WeightNorms,
)
from engine.statistics import read_statistics
from engine.workspace import Workspace
from tests.engine.cli.command import Command
from tests.engine.cli.sample_views import history
from tests.engine.sample_statistics import HOSTILE, SCHEMA, statistics_file
from tests.engine.test_insights import HISTOGRAMS_OF_TWO


def console(encoding: str = "utf-8", width: int = 100) -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def printed(make, **options) -> list[str]:
    to = console(**options)
    to.print(make(to))
    to.file.flush()
    return to.file.buffer.getvalue().decode(to.encoding).splitlines()


def test_a_sparkline_is_as_high_as_the_counts() -> None:
    assert sparkline([0, 1, 50, 100], to=console()) == " ▁▄█"
    assert sparkline([0, 1, 50, 100], to=console("ascii")) == " .=@"
    assert sparkline([0, 0], to=console()) == "  "
    assert sparkline([], to=console()) == ""


def test_statistics_have_a_row_a_column() -> None:
    found = read_statistics({"train": statistics_file()}, SCHEMA)
    heading, titles, department, price, basket = printed(
        lambda to: statistics_view(found, to=to), width=120
    )
    assert heading == "train: 100 rows"
    columns = ["Column", "Type", "Missing", "Distribution", "Values", "Schema"]
    assert titles.split() == columns
    assert department.split()[:6] == ["department", "text", "20.0%", "█▃", "2", "distinct:"]
    assert department.rstrip().endswith("optional, 2 values")
    assert "-1 to 3, median 1" in price
    assert "not in the schema" in basket


@pytest.mark.parametrize("width", [80, 120])
def test_hostile_names_are_shown_literally_and_fit(width: int) -> None:
    found = read_statistics({"train": statistics_file(HOSTILE)}, SCHEMA)
    lines = printed(lambda to: statistics_view(found, to=to), width=width)
    assert all(len(line) <= width for line in lines)
    assert not {"\x1b", "\x07", "\u202e"} & set("".join(lines))


def test_histograms_have_a_line_an_epoch() -> None:
    lines = printed(lambda to: histograms_view(HISTOGRAMS_OF_TWO, to=to))
    assert lines == [
        "buyer weights  -1 to 1", "    1 |▄█|", "    2 |▆█|", "",
        "buyer gradients  -1 to 1", "    1 |▄█|", "    2 |▆█|",
    ]  # fmt: skip


def test_history_has_further_metrics_and_how_gradients_were_distributed() -> None:
    two = (0.5, 0.25)
    curves = history(2).replace(
        epoch_metrics={"val_rmse": two},
        weight_stats={"query": WeightNorms(l1=(7.0, 8.0), l2=(5.0, 6.0))},
        gradient_stats={"query": GradientStats(mean=two, std=two, minimum=(-1, -2), maximum=two)},
    )
    first = printed(lambda to: history_table(curves))
    assert first[0].split()[-1] == "val_rmse"
    assert first[2].split()[-1] == "0.250"
    lines = printed(lambda to: weights_table(curves))
    assert lines[1] == "buyer"
    assert lines[3].split() == ["1", "7", "5", "0.5", "0.5", "-1", "0.5"]


def test_vocabularies_have_a_row_a_column() -> None:
    found = Vocabulary(size=1_645, oov_share=0.005, coverage=0.817, missing_share=0.181)
    curves = history(1).replace(vocabularies={"package \x1b size": found})
    _, headings, row = printed(lambda _: vocabularies_table(curves))
    assert headings.split() == ["Vocabulary", "Values", "OOV", "Coverage", "Missing"]
    assert row.split()[-4:] == ["1,645", "0.5%", "81.7%", "18.1%"]
    assert "\x1b" not in row


def measured(command: Command) -> None:
    """Put statistics where a run leaves them."""
    (folder,) = Workspace(command.folder).runs.iterdir()
    for name, content in ((STATISTICS_FILES["train"], statistics_file()), (SCHEMA_FILE, SCHEMA)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_the_commands_answer_people_and_scripts(used: Command, tmp_path) -> None:
    refused = used("statistics", "1")
    assert refused.code == 2
    assert refused.err.startswith("Error: Experiment #1 has no statistics: its files were removed")
    measured(used)
    shown = used("statistics", "1", "--json").json
    assert shown["splits"]["train"]["rows"] == 100
    assert shown["schema_features"][0]["name"] == "department"
    assert used("statistics", "1").out.startswith("train: 100 rows\n")
    report = tmp_path / "report.html"
    told = used("statistics", "1", "--html", str(report))
    assert told.out == f"The report is in {report}.\n"
    html = report.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "0.5000" in html  # Recall@100 of the stand-in
    both = used("statistics", "1", "--html", str(report), "--json")
    assert json.loads(both.out) == shown
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    nowhere = used("statistics", "1", "--html", str(tmp_path / "no" / "report.html"))
    assert nowhere.code == 2
    assert "can't be written: No such file or directory." in nowhere.err
    ridges = used("histograms", "1")
    assert ridges.out.splitlines()[:2] == ["buyer weights  -1 to 1", "    1 |██|"]
    assert used("histograms", "1", "--json").json["epochs"] == [0, 1, 2]
    assert used("histograms", "99").code == 2
