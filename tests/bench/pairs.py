"""The same experiment as a whole TFX pipeline and as the script that leaves it out.

Both sides are timed from the outside, from the command to its end: imports, planning and everything
else included. One side follows the other, so that both see the same machine.
"""

import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.bench.measuring import ROOT, run, seconds, towerlab, until

_REFERENCE = str(ROOT / "tests" / "bench" / "reference.py")
_TARGET_FEATURES = "spending"
_SETTINGS = "[worker]\nidle_seconds = 5\n\n[local]\nwarm_idle_minutes = 2\n"
"""Nothing that was started stays for long in a folder that is about to go."""


class Measured(NamedTuple):
    """One side of a pair: how long it took, the memory of its largest process, what it printed."""

    seconds: float
    peak_gb: float
    result: dict[str, Any]


def first(repeats: int) -> dict[str, float]:
    """A first quick test, cold and warm, and a rerun with another learning rate."""
    cold: list[Measured] = []
    warm: list[Measured] = []
    rerun: list[Measured] = []
    script: list[Measured] = []
    for _ in range(repeats):
        with _workspace() as workspace:
            cold.append(_quick_test(workspace, "retrieval"))
            _forget(workspace, cold[-1])
            warm.append(_quick_test(workspace, "retrieval"))
            rerun.append(
                _experiment(workspace, "rerun", _number(warm[-1]), "--set", "learning-rate=0.005")
            )
            script.append(_script(workspace, "retrieval", like=cold[-1]))
    return {
        **_figures("first quick test, cold", cold, script, "1.2"),
        **_figures("first quick test, warm", warm, script, "1.0"),
        **_figures("rerun with another learning rate, warm", rerun, script, "0.8"),
        "submission to the first component, cold, s (budget 25)": _median(cold, _start),
        "submission to the first component, warm, s (budget 1)": _median(warm, _start),
        "recall_at_100 of the quick test": _median(cold, _recall),
        "recall_at_100 of the script": _median(script, lambda m: m.result["recall_at_100"]),
    }


def full(repeats: int) -> dict[str, float]:
    """All rows, one epoch: warm, as cold as it goes is `first`'s business."""
    whole, script = _sides("retrieval", repeats, sample="100", epochs="1")
    return {
        **_figures("100% of the rows, 1 epoch", whole, script, "1.0"),
        "100% of the rows: peak memory, GB (budget 6)": max(m.peak_gb for m in whole),
        "100% of the rows: peak memory of the script, GB": max(m.peak_gb for m in script),
    }


def ranking(repeats: int) -> dict[str, float]:
    """A first ranking test, 10%."""
    return _figures("ranking, 10%", *_sides("ranking", repeats), "1.2")


def multitask(repeats: int) -> dict[str, float]:
    """A first multitask test, 10%."""
    return _figures("multitask, 10%", *_sides("multitask", repeats), "1.2")


def growth(repeats: int) -> dict[str, float]:
    """One epoch of 1% and of 100% of the households: time by rows."""
    figures: dict[str, float] = {}
    rows: list[int] = []
    for sample in ("1", "10", "100"):
        whole, _ = _sides("retrieval", repeats, sample=sample, epochs="1", script=False)
        rows.append(sum(whole[0].result["rows"].values()))
        figures[f"growth: {sample}%, 1 epoch, s"] = _median(whole, lambda m: m.seconds)
    times = list(figures.values())
    figures["growth: rows of 100% / rows of 1%"] = rows[-1] / rows[0]
    figures["growth: time of 100% / time of 1% (budget: the rows' ratio)"] = times[-1] / times[0]
    return figures


def _sides(
    task: str, repeats: int, *, sample: str = "10", epochs: str = "3", script: bool = True
) -> tuple[list[Measured], list[Measured]]:
    """Return a warm runner's first tests of the data, and the script's runs of the same."""
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for _ in range(repeats):
        with _workspace() as workspace:
            _quick_test(workspace, task, sample="2", epochs="1")  # starts the warm runner
            ours.append(_quick_test(workspace, task, sample=sample, epochs=epochs))
            if script:
                theirs.append(_script(workspace, task, like=ours[-1]))
    return ours, theirs


@contextmanager
def _workspace() -> Iterator[Path]:
    """Make the demo's workspace without an experiment, and with a feature config for ratings."""
    from engine.demo import prepare_workspace

    folder = Path(tempfile.mkdtemp(prefix="towerlab-bench-"))
    try:
        (folder / "config.toml").write_text(_SETTINGS, encoding="utf-8")
        prepare_workspace(folder, lambda table: None)
        features = (folder / "definitions" / "features.toml").read_text(encoding="utf-8")
        with_target = features.replace("features.basic", f"features.{_TARGET_FEATURES}").replace(
            'dataset = "grocery"', 'dataset = "grocery"\ntarget = "sales_value"', 1
        )
        (folder / "definitions" / "spending.toml").write_text(with_target, encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _quick_test(workspace: Path, task: str, *, sample: str = "10", epochs: str = "3") -> Measured:
    features = "basic" if task == "retrieval" else _TARGET_FEATURES
    configs = ("--feature-config", features, "--model-config", f"{task}-standard")
    measured = _experiment(workspace, "run", *configs, "--sample", sample, "--epochs", epochs)
    if any(component["cached"] for component in measured.result["components"]):
        raise RuntimeError("A first quick test took something from the cache.")
    return measured


def _experiment(workspace: Path, *arguments: str) -> Measured:
    """Start an experiment, wait for its end, and return what `show` says."""
    with _peak_memory(workspace) as peak:
        taken = seconds(
            lambda: towerlab(*arguments, "--wait", "--json", "--workspace", str(workspace))
        )
    newest = json.loads(towerlab("list", "--json", "--workspace", str(workspace)))
    number = max(item["number"] for item in newest["items"])
    shown = towerlab("show", str(number), "--json", "--workspace", str(workspace))
    return Measured(taken, peak(), json.loads(shown))


def _forget(workspace: Path, measured: Measured) -> None:
    """Delete an experiment and what the cache has of it."""
    towerlab("delete", _number(measured), "--yes", "--workspace", str(workspace))
    give_up = time.monotonic() + 30
    while (workspace / ".towerlab" / "runs" / measured.result["uid"]).exists():
        if time.monotonic() > give_up:
            raise RuntimeError("The experiment was not deleted.")
        time.sleep(0.2)
    towerlab("gc", "--workspace", str(workspace))


def _script(workspace: Path, task: str, *, like: Measured) -> Measured:
    """Run the script with the parameters that an experiment was planned with."""
    params = like.result["params"]
    output = workspace / "script"
    command = [sys.executable, _REFERENCE, str(workspace / "data"), str(output), "--task", task]
    command += ["--percent", str(params["sample_percent"]), "--epochs", str(params["epochs"])]
    command += ["--batch-size", str(params["batch_size"])]
    command += ["--learning-rate", str(params["learning_rate"])]
    printed: list[str] = []
    with _peak_memory(output) as peak:
        taken = seconds(lambda: printed.append(run(command)))
    return Measured(taken, peak(), json.loads(printed[0].splitlines()[-1]))


@contextmanager
def _peak_memory(folder: Path) -> Iterator[Callable[[], float]]:
    """Watch all processes whose command names the folder or a file in it; gives gigabytes."""
    stop, peak = threading.Event(), [0]

    def watch() -> None:
        while not stop.wait(0.2):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                command, memory = process.info["cmdline"], process.info["memory_info"]
                if memory and any(str(folder) in part for part in command or ()):
                    peak[0] = max(peak[0], memory.rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: peak[0] / 1e9
    finally:
        stop.set()
        thread.join()


def _figures(
    what: str, ours: list[Measured], theirs: list[Measured], budget: str
) -> dict[str, float]:
    whole, script = (_median(side, lambda m: m.seconds) for side in (ours, theirs))
    return {
        f"{what}, s": whole,
        f"{what}: the script, s": script,
        f"{what} / the script (budget {budget})": whole / script,
    }


def _median(measured: list[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(figure(each) for each in measured)


def _start(measured: Measured) -> float:
    return until(measured.result, "Examples")


def _recall(measured: Measured) -> float:
    return measured.result["metrics"]["recall_at_100"]


def _number(measured: Measured) -> str:
    return str(measured.result["number"])
