"""What people wait for at every start stays light: checked in a process of its own."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "tfx", "tfx_bsl", "google.api_core", "grpc", "kfp", "optuna", "apache_beam")
ON_DEMAND = ("duckdb", "sqlglot", "alembic", "pyarrow", "textual")


@pytest.mark.parametrize("module", ["engine.api", "engine.cli", "engine.worker"])
def test_importing_it_pulls_in_nothing_heavy(module):
    code = f"import sys, {module}\nprint([m for m in {HEAVY + ON_DEMAND!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"
