import pytest

from tests.tui.harness import Shop


@pytest.fixture(autouse=True)
def with_colours(monkeypatch):
    """Draw as on a terminal whose person did not ask for no colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def run(shop):
    return shop.start(name="Run")
