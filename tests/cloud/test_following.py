"""`logs --follow` of a run on Google Cloud: it shows every line, and asks rarely."""

import pytest

from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.cloud.test_commands import RUN, _worker_environment, shop
from tests.engine.cli.command import Command, set_behaviour
from tests.faults.waiting import wait_for

__all__ = ["_worker_environment", "cloud", "served", "shop"]

pytestmark = pytest.mark.processes


def test_following_shows_every_line_and_asks_rarely(shop: Command, cloud: Cloud):
    settings = shop.folder / "config.toml"
    settings.write_text(settings.read_text().replace("poll_seconds = 0.2", "poll_seconds = 3"))
    set_behaviour(shop.folder, '{"seconds": 12}')
    assert shop(*RUN).code == 0
    wait_for(lambda: shop("show", "1", "--json").json["status"] == "running", seconds=60)
    cloud.logging.faults.calls.clear()
    cloud.pipelines.faults.calls.clear()
    followed = shop("logs", "1", "--follow")
    assert followed.code == 0, followed.err
    for name in ("Examples", "Stats", "Schema", "Transform", "Train"):
        for message in (f"{name} starts", f"{name} ends"):
            assert followed.out.count(message) == 1, followed.out
    # Read at most three times while it runs for 12 s and once at its end, up to five components
    # each; of each its own log and, where that is empty, the pipeline's.
    assert cloud.logging.faults.calls["ListLogEntries"] <= 20
    assert cloud.pipelines.faults.calls["GetPipelineJob"] <= 40
