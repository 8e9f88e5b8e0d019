"""`make bench`: the time budgets, measured through the commands that people run.

`python -m tests.bench [NAME…]` measures some of them. Times on a shared machine are noisy: compare
the ratios of one run, not seconds of two. Every measurement is appended to
`docs/bench/history.jsonl` with the machine and the versions.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from engine.spec import ExamplesQuery
from tests.bench import app, epoch_loop, evaluation, pairs
from tests.bench.measuring import TOWERLAB, keep, median, run, since, towerlab, until
from tests.engine.analysis.laboratory import Laboratory
from tests.engine.analysis.rows_files import rows_file


def product(_: int) -> dict[str, float]:
    """Measure commands, lists and the app, on one workspace with the demo in it."""
    folder = Path(tempfile.mkdtemp(prefix="towerlab-bench-"))
    try:
        return {
            **start_up(folder),
            **planning(folder),
            **runs(folder),
            **ticks(folder),
            **lists(folder),
            **comparisons(folder),
            **app.figures(folder / "demo", newest="#100003"),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


MEASUREMENTS: dict[str, Callable[[int], dict[str, float]]] = {
    "app": product,
    "first": pairs.first,
    "full": pairs.full,
    "ranking": pairs.ranking,
    "multitask": pairs.multitask,
    "growth": pairs.growth,
    "loop": epoch_loop.figures,
    "evaluation": evaluation.figures,
}
"""Each takes how often to repeat what takes minutes, and gives figures by what they are."""


def main() -> None:
    """Measure what is asked for, print a table, and append it to the history."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--repeats", type=int, default=3, help="of what takes minutes; medians")
    options = parser.parse_args()
    if unknown := set(options.names) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    figures: dict[str, float] = {}
    for name in options.names or MEASUREMENTS:
        figures |= MEASUREMENTS[name](options.repeats)
    keep(figures)


def start_up(folder: Path) -> dict[str, float]:
    """Return how long the commands that only read take, beside an empty Python."""
    from engine.api import Engine
    from engine.workspace import Workspace

    workspace = folder / "empty"
    workspace.mkdir()
    (workspace / "config.toml").touch()
    towerlab("list", "--workspace", str(workspace))

    def open_and_list() -> None:
        with Engine(Workspace(workspace), start_worker=False) as engine:
            engine.list_experiments()

    return {
        "open a workspace and list, imports aside, s (budget 0.15)": median(open_and_list),
        "python -c pass, s": median(lambda: run([sys.executable, "-c", "pass"])),
        "towerlab --help, s (budget 0.4)": median(lambda: towerlab("--help")),
        "towerlab list, s (budget 0.4)": median(
            lambda: towerlab("list", "--workspace", str(workspace))
        ),
    }


def planning(folder: Path) -> dict[str, float]:
    """Return how long a plan over 1.47 M rows takes, beside counting the joined rows once."""
    from engine.api import Engine
    from engine.demo import prepare_workspace, request
    from engine.workspace import Workspace

    (folder / "demo").mkdir()
    # Nothing that was started stays for long in a folder that is about to go.
    settings = "[worker]\nidle_seconds = 5\n\n[local]\nwarm_idle_minutes = 1\n"
    (folder / "demo" / "config.toml").write_text(settings, encoding="utf-8")
    prepare_workspace(folder / "demo", lambda table: None)
    data = folder / "demo" / "data"
    count = f"""SELECT count(*), count(DISTINCT product_id) FROM '{data}/transactions.parquet'
        LEFT JOIN '{data}/products.parquet' USING (product_id)"""
    with Engine(Workspace(folder / "demo"), start_worker=False) as engine:
        plans = {
            share: engine.plan(request("basic", "retrieval-standard").replace(sample_percent=share))
            for share in (10, 100)
        }
        return {
            "count 1.47 M joined rows, s": median(lambda: duckdb.sql(count).fetchall()),
            "summary of them, s (budget 2)": median(lambda: engine.dataset_summary("grocery")),
            "plan a quick test over them, s": median(
                lambda: engine.plan(request("basic", "retrieval-standard"))
            ),
            **{
                f"rows of every split of a sample of {share}%, s (budget 2)": median(
                    partial(read_rows, plan.examples)
                )
                for share, plan in plans.items()
            },
        }


def read_rows(examples: ExamplesQuery) -> None:
    """Read the rows of all splits as ExampleGen does."""
    with duckdb.connect() as connection:
        for name, select in examples.kept.items():
            connection.execute(f"CREATE TEMPORARY TABLE {name} AS {select}")
        for _ in connection.sql(examples.sql).to_arrow_reader(20_000):
            pass


def runs(folder: Path) -> dict[str, float]:
    """Return when the parts of the demo and of a rerun begin."""
    workspace = str(folder / "demo")
    towerlab("demo", "--workspace", workspace)
    first = json.loads(towerlab("show", "1", "--workspace", workspace, "--json"))
    again = ("rerun", "1", "--set", "learning_rate=0.005", "--wait", "--json")
    rerun = json.loads(towerlab(*again, "--workspace", workspace))
    return {
        "first quick test: submission to first component, s": until(first, "Examples"),
        "first quick test: submission to Trainer, s": until(first, "Train"),
        "first quick test: whole, s": since(first, first["ended_at"]),
        "rerun: submission to Trainer, s (budget 5)": until(rerun, "Train"),
        "rerun: whole, s": since(rerun, rerun["ended_at"]),
        "rerun / first quick test": since(rerun, rerun["ended_at"])
        / since(first, first["ended_at"]),
    }


def ticks(folder: Path) -> dict[str, float]:
    """Return what a running experiment sends to the terminal."""
    workspace = folder / "demo"
    again = ("rerun", "1", "--set", "epochs=20", "--json", "--workspace", str(workspace))
    number = json.loads(towerlab(*again))["number"]
    figures = app.ticks(workspace, number)
    towerlab("cancel", str(number), "--workspace", str(workspace))
    ended = [TOWERLAB, "show", str(number), "--wait", "--json", "--workspace", str(workspace)]
    subprocess.run(ended, check=False, capture_output=True)  # exits with 1: it was cancelled
    return figures


def lists(folder: Path) -> dict[str, float]:
    """Return how long pages of 100,000 experiments take, copies of the demo's."""
    from sqlalchemy import text

    from engine.api import Engine
    from engine.store import open_database
    from engine.store.models import ExperimentRow
    from engine.workspace import Workspace

    copied = {
        "number": "NULL",
        "uid": "printf('%016x', i)",
        "status": "CASE i % 10 WHEN 0 THEN 'failed' ELSE 'completed' END",
        "search_text": "'run ' || i || ' of dataset ' || (i % 7) || ' with a description'",
        "feature_config": "'features-' || (i % 20)",
    }
    names = [column.name for column in ExperimentRow.__table__.columns]
    workspace = Workspace(folder / "demo")
    database = open_database(workspace.database_url)
    with database.write() as session:
        session.execute(
            text(
                "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 100000)"
                f" INSERT INTO experiments ({', '.join(names)})"
                f" SELECT {', '.join(copied.get(name, name) for name in names)}"
                " FROM experiments, r WHERE number = 1"
            )
        )
    database.close()
    with Engine(workspace, start_worker=False) as engine:
        listed = engine.list_experiments
        return {
            "100,000 experiments: first page, s": median(listed),
            "100,000 experiments: two filters, s": median(
                lambda: listed(status="completed", feature_config="features-3")
            ),
            "100,000 experiments: search, s (budget 0.1)": median(
                lambda: listed(search="dataset 99")
            ),
        }


def comparisons(folder: Path) -> dict[str, float]:
    """Return how long it takes to compare 4 experiments on 50,000 test rows each."""
    workspace = folder / "compared"
    workspace.mkdir()
    (workspace / "config.toml").touch()
    rng = np.random.default_rng(0)
    laboratory = Laboratory(workspace)
    figures: dict[str, float] = {}
    for buyers in (2_500, 20_000):
        rows = rng.integers(buyers, size=50_000)
        numbers = [
            laboratory.completed(rows=rows_file(rows, rank=rng.integers(0, 1_000, 50_000)))
            for _ in range(4)
        ]
        name = f"compare 4 × 50,000 test rows of {buyers:,} buyers, s (budget 1)"
        figures[name] = median(partial(laboratory.engine.compare, numbers))
    laboratory.engine.close()
    return figures


if __name__ == "__main__":
    main()
