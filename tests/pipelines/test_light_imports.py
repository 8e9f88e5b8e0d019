"""The supervisor and the warm runner start at once: they import nothing heavy themselves."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "tfx", "apache_beam", "pyarrow", "numpy", "ml_metadata", "duckdb", "textual")


@pytest.mark.parametrize("module", ["pipelines.supervise", "pipelines.warm", "pipelines.run_files"])
def test_nothing_heavy_is_imported(module: str):
    code = f"import sys, {module}; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
