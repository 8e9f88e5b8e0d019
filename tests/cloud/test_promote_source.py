"""Promoting an experiment whose dataset got its source in BigQuery after it ran."""

import pytest

from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.cloud.test_promote import BIGQUERY, run_half, shop, spec_of
from tests.engine.cli.command import Command

__all__ = ["cloud", "served", "shop"]

pytestmark = pytest.mark.processes


def test_the_source_is_read_and_the_question_says_so(shop: Command, cloud: Cloud):
    run_half(shop)
    file = shop.folder / "definitions" / "datasets.toml"
    written = file.read_text()
    file.write_text(written + BIGQUERY)
    asked = shop("promote", "1")
    assert "300 rows from BigQuery, which reads " in asked.err
    assert (
        'Dataset "ratings" got its BigQuery source after the experiment ran; the rest of it is as'
        " it was." in asked.err
    )
    done = shop("promote", "1", "--yes", "--wait")
    assert done.code == 0, done.err
    seen = shop("show", "2", "--json").json
    assert (seen["parent"], seen["params"]["sample_percent"]) == (1, 100)
    assert spec_of(cloud, seen["uid"]).examples.dialect == "bigquery"


def test_rows_are_sent_where_the_dataset_has_other_rows_now(shop: Command):
    run_half(shop)
    file = shop.folder / "definitions" / "datasets.toml"
    filtered = file.read_text().replace(
        "[datasets.ratings.tables]",
        'filters = [{ column = "rating", min = 2 }]\n[datasets.ratings.tables]',
    )
    assert filtered != file.read_text()
    file.write_text(filtered + BIGQUERY)
    asked = shop("promote", "1")
    assert "300 rows are sent to Cloud Storage, about " in asked.err
    assert "isn't read: its filters changed as well since the experiment ran." in asked.err
    refused = shop("rerun", "1", "--set", "backend=vertex")
    assert refused.code == 2
    assert "--set upload_rows=true" in refused.err
