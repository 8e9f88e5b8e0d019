import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from engine.cli.progress import Lines, progress_view
from engine.cli.views import experiment_list, experiment_overview, history_table
from engine.formats import age, duration, size
from engine.snapshots import ExperimentDetail, TrainingHistory
from engine.spec.run_folder import Interval
from tests.engine.cli.sample_views import (
    NOW,
    SCANN,
    completed,
    components,
    experiment,
    history,
    running,
)


def printed(part: object, *, width: int = 80, encoding: str = "utf-8") -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    Console(file=stream, width=width, markup=False, highlight=False, emoji=False).print(part)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding).splitlines()  # pyright: ignore[reportAttributeAccessIssue]


def console(width: int = 80, encoding: str = "utf-8") -> Console:
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding), width=width)


def difference(value: float, low: float, high: float) -> Interval:
    return Interval(metric="recall_at_100", value=value, low=low, high=high)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_list_fits_the_terminal_and_its_columns_line_up(width: int) -> None:
    items = [
        experiment(1204, "running", progress=0.62, stage="Train, epoch 2 of 3"),
        completed(1203, name="Wider product tower, and a name that never seems to end at all"),
        experiment(7, "failed", name="東京の店", dataset="movies"),
        experiment(6, "submitting", intent="cancelling"),
    ]
    lines = printed(experiment_list(items, 1_204, now=NOW, to=console(width)), width=width)
    assert all(len(line) <= width for line in lines)
    assert "◐ running 62%" in lines[1]
    assert "✔ completed" in lines[2]
    assert "0.166  ▲ +0.017" in lines[2]
    assert "✖ failed" in lines[3]
    assert "◐ cancelling" in lines[4]
    assert "4 of 1,204 experiments" in lines[5]
    ends = {line.rstrip().rindex("now") for line in lines[1:5]}
    assert len(ends) <= 2  # the row with double-width characters has fewer characters


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (difference(0.017, 0.01, 0.024), "▲ +0.017"),
        (difference(-0.02, -0.03, -0.01), "▼ -0.020"),
        (difference(0.017, -0.01, 0.04), "≈ +0.017"),
    ],
)
def test_a_difference_counts_only_outside_its_interval(found: Interval, shown: str) -> None:
    row = printed(experiment_list([completed(1, difference=found)], 1, now=NOW, to=console()))[1]
    assert shown in row


def test_names_that_repeat_the_configs_get_no_column() -> None:
    default = completed(1, name="basic · retrieval-standard")
    assert "Name" not in printed(experiment_list([default], 1, now=NOW, to=console()))[0]
    own = completed(2, name="own")
    assert "Name" in printed(experiment_list([default, own], 2, now=NOW, to=console()))[0]


def test_the_overview_sets_the_result_beside_the_baseline() -> None:
    lines = printed(experiment_overview(completed(3), to=console(120)), width=120)
    rows = [line.split() for line in lines]
    assert ["Recall@100", "0.166", "0.149", "0.158", "to", "0.174"] in rows
    assert ["loss", "7.123", "–"] in rows
    assert "10% of the buyers" in "\n".join(lines)
    assert "rerun of #2" in "\n".join(lines)


def test_the_overview_of_a_failure_begins_with_its_cause() -> None:
    failed = experiment(
        2,
        "failed",
        components=components("completed", "completed", "completed", "failed", "pending"),
        error={"component": "Transform", "message": "No \x1b[2Jmemory.", "hint": "Use less."},
    )
    lines = printed(experiment_overview(failed, to=console()))
    assert lines[2:4] == ["Transform: No ␛[2Jmemory.", "Use less."]


@pytest.mark.parametrize("width", [80, 120])
def test_progress_fits_a_small_terminal(width: int) -> None:
    seen = running(4, name="n" * 300)
    lines = printed(progress_view(seen, history(2), now=NOW, to=console(width)), width=width)
    assert len(lines) <= 10
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "↺ Stats     cached" in text
    assert "◐ Train     0:30" in text
    assert "62% Train, epoch 2 of 3" in text
    assert "epoch 2 of 3   loss 7.693   val 7.902   9,870 examples/s" in text


def test_a_terminal_without_utf8_gets_ascii() -> None:
    seen = running(4, name="plain")
    lines = printed(
        progress_view(seen, history(1), now=NOW, to=console(encoding="ascii")), encoding="ascii"
    )
    assert "* running" in lines[0]
    assert "= Stats" in "\n".join(lines)


def test_lines_are_told_once() -> None:
    stream, remarks = io.StringIO(), io.StringIO()
    lines = Lines(Console(file=stream, width=200), Console(file=remarks, width=200))

    def look(seen: ExperimentDetail, curves: TrainingHistory | None) -> None:
        lines.show(seen, curves)
        lines.show(seen, curves)

    created = datetime.now(UTC)
    look(experiment(4, "submitting", stage="Queued", created_at=created), None)
    waiting = {"message": "No room.", "hint": "Free some."}
    look(experiment(4, "submitting", stage="Waiting", created_at=created, error=waiting), None)
    created -= timedelta(seconds=15)
    look(experiment(4, "submitting", stage="Starting", created_at=created), None)
    look(running(4), history(1))
    look(running(4), history(2))
    look(completed(4), history(3))
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "#4  basic · retrieval-standard",
        "Queued",
        "Waiting",
        "Starting: importing TensorFlow, once (0:10 since submission)",
        "✔ Examples  0:30",
        "↺ Stats  cached",
        "✔ Schema  0:30",
        "✔ Transform  0:30",
        "Train …",
        "  epoch 1 of 3   loss 8.300   val 8.311   9,655 examples/s",
        "  epoch 2 of 3   loss 7.693   val 7.902   9,870 examples/s",
        "  epoch 3 of 3   loss 7.000   val 7.500   9,900 examples/s",
        "✔ Train  0:30",
    ]
    assert remarks.getvalue() == "Experiment #4 waits: No room. Free some.\n"


def test_the_wait_before_the_first_component_is_shown() -> None:
    starting = experiment(4, "submitting", stage="Starting", created_at=NOW - timedelta(seconds=12))
    lines = printed(progress_view(starting, None, now=NOW, to=console()))
    assert "submitting 0:12" in lines[0]
    assert "Starting: importing TensorFlow, once" in "\n".join(lines)


def test_history_is_a_row_an_epoch() -> None:
    rows = [line.split() for line in printed(history_table(history(2)))]
    assert rows[1] == ["1", "8.300", "8.311", "8.400", "1.000", "0.600", "0.800"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0:00"), (7, "0:07"), (192, "3:12"), (3_792, "1:03:12"), (None, "–")],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=1_200), "1,200 d"),
    ],
)
def test_ages(ago: timedelta, shown: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age(now - ago, now) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e12, "2.0 TB")]
)
def test_sizes(count: float, shown: str) -> None:
    assert size(count) == shown


def test_the_exported_index_is_shown() -> None:
    shown = " ".join(
        " ".join(printed(experiment_overview(completed(7, index=SCANN), to=console()))).split()
    )
    assert f"index {SCANN}" in shown
