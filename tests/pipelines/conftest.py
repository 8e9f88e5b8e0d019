"""Modules that need TensorFlow are not even imported where none of their tests run."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if "not pipeline" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    return "pytestmark = pytest.mark.pipeline" in collection_path.read_text("utf-8") or None
