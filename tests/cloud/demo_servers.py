"""`python -m tests.cloud.demo_servers FOLDER`: the demo's servers, for as long as somebody listens.

Says where they are as a line of JSON, and ends when its standard input does, however its parent
ended: then the folder is removed, and every process that works on it has ended.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import psutil

from engine.demo import TABLES
from tests.cloud.demo_runs import Builds, Runs
from tests.cloud.servers.cloud import as_toml, serve


def main(folder: Path) -> None:
    """Serve until standard input ends."""
    for name in ("servers", "builds", "jobs"):
        (folder / name).mkdir()
    try:
        with serve(folder / "servers") as cloud:
            cloud.builds.run = Builds(cloud, folder / "builds").run
            data = folder / "workspace" / "data"
            cloud.bigquery.tables["sales"] = {name: data / f"{name}.parquet" for name in TABLES}
            Runs(cloud, data, folder / "jobs")
            told = {"settings": as_toml(cloud.settings), "environment": cloud.environment}
            print(json.dumps(told), flush=True)
            sys.stdin.read()
            end_all(folder)
    finally:
        end_all(folder)
        shutil.rmtree(folder, ignore_errors=True)


def end_all(folder: Path) -> None:
    """Kill every other process that has a path below the folder among its arguments."""
    while going := [process for process in psutil.process_iter() if _works_on(process, folder)]:
        for process in going:
            try:
                process.kill()
                process.wait(5)
            except psutil.Error:
                continue


def _works_on(process: psutil.Process, folder: Path) -> bool:
    if process.pid in (os.getpid(), os.getppid()):
        return False
    try:
        words = process.cmdline()
        return process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in w for w in words)
    except psutil.Error:
        return False


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(Path(sys.argv[1]))
