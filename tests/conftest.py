"""What `make test-fast` leaves out, the folders whose tests start real processes, and options."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("towerlab", deadline=None)  # a busy machine is no failure of a property
settings.load_profile("towerlab")

_PROCESSES = tuple(Path(__file__).parent / name for name in ("e2e", "faults"))


def pytest_addoption(parser: pytest.Parser) -> None:
    pictures = parser.getgroup("pictures", "pictures of the screens (tests/tui/test_pictures.py)")
    pictures.addoption("--update-pictures", action="store_true", help="keep what is seen")
    pictures.addoption("--picture-svgs", metavar="FOLDER", help="write each as SVG, to look at")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in _PROCESSES):
            item.add_marker("processes")
