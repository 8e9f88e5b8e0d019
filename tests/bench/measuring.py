"""Running and timing what is measured, and keeping the history."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
HISTORY = ROOT / "docs" / "bench" / "history.jsonl"
TOWERLAB = str(Path(sys.executable).parent / "towerlab")
PACKAGES = ("tfx", "tensorflow", "tensorflow-recommenders", "duckdb", "pyarrow", "textual")
REPEATS = 5


def keep(figures: Mapping[str, float]) -> None:
    """Print a table of the figures, and append them to the history."""
    record = {
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "figures": {name: round(value, 3) for name, value in figures.items()},
    }
    machine = f"{record['cores']} cores of {record['processor']}, {record['memory_gb']} GB"
    print(
        f"\n{machine}, load {record['load']:.1f}, Python {record['python']}, {record['versions']}"
    )
    for name, value in figures.items():
        print(f"  {name:<66} {value:8.2f}")
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def median(action: Callable[[], object]) -> float:
    """Return the median of the seconds that an action takes, after one that doesn't count."""
    action()
    return statistics.median(seconds(action) for _ in range(REPEATS))


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def towerlab(*arguments: str) -> str:
    """Run a command and return what it prints."""
    return run([TOWERLAB, *arguments])


def run(command: list[str]) -> str:
    """Run a process and return its standard output."""
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def until(experiment: dict, component: str) -> float:
    """Return the seconds from submission until a component started."""
    found = next(c for c in experiment["components"] if c["name"] == component)
    return since(experiment, found["started_at"])


def since(experiment: dict, moment: str) -> float:
    """Return the seconds from submission until a moment."""
    start = datetime.fromisoformat(experiment["created_at"])
    return (datetime.fromisoformat(moment) - start).total_seconds()
