"""The app starts at once and stays light: checked in a process of its own."""

import subprocess
import sys

HEAVY = (
    "tensorflow",
    "tfx",
    "kfp",
    "optuna",
    "apache_beam",
    "google.api_core",
    "google.auth",
    "grpc",
    "engine.backends.vertex.clients",
    "engine.bigquery.warehouse",
    "scann",
)
LATER = ("sqlalchemy", "pydantic", "alembic", "duckdb", "sqlglot", "plotext", "click", "watchfiles")
"""What the first frame does without."""
WALK = """
import asyncio, sys
from pathlib import Path
from engine.glance import glance
from tui.app import TowerlabApp
from tui.options import AppOptions

root = Path(sys.argv[1])
found = []

async def main():
    app = TowerlabApp(AppOptions(root=root), "shop", glance(root, limit=50))
    async with app.run_test(size=(120, 40)) as pilot:
        found.append([name for name in LATER if name in sys.modules])
        await pilot.pause(0.5)
        for key in ("enter", *["right_square_bracket"] * 3, "escape", "n"):
            await pilot.press(key)
            await pilot.pause(0.7)
        found.append(type(app.screen).__name__)
        found.append([name for name in HEAVY if name in sys.modules])
        found.append([name for name in sys.modules if name.startswith("google.cloud.")])

asyncio.run(main())
print(found)
"""


def test_the_first_frame_needs_no_database_library_and_no_screen_needs_tensorflow(run):
    run.completes()
    code = f"HEAVY, LATER = {HEAVY!r}, {LATER!r}\n{WALK}"
    command = [sys.executable, "-c", code, str(run.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[], 'WizardScreen', [], []]"
