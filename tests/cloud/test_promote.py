"""A local experiment goes to all rows in the cloud: by its BigQuery source, or by sending rows."""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from engine.spec import ExperimentSpec
from tests.cloud.pty_screen import Screen
from tests.cloud.servers.cloud import BUCKET, PROJECT, Cloud
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.e2e.terminal import REPOSITORY, Terminal
from tests.engine.cli.command import RUN, Command, end, set_behaviour, standin
from tests.sample_data import write_groceries

__all__ = ["cloud", "served"]

pytestmark = pytest.mark.processes

BIGQUERY = f'\n[datasets.ratings.bigquery]\nproject = "{PROJECT}"\ndataset = "sales"\n'


@pytest.fixture
def shop(tmp_path: Path, cloud: Cloud) -> Iterator[Command]:
    """A workspace whose local runs are stand-ins, with one experiment, on half of the buyers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        workspace = standin(tmp_path / "shop")
        local = (workspace.root / "config.toml").read_text().partition("[local]")[2]
        write_settings(workspace.root, cloud, idle_seconds=2)
        with (workspace.root / "config.toml").open("a") as file:
            file.write("\n[local]" + local.partition("[worker]")[0])
        file = workspace.root / "ratings.parquet"
        duckdb.read_csv(str(workspace.root / "ratings.csv")).write_parquet(str(file))
        cloud.bigquery.tables["sales"] = {"ratings": file}
        yield Command(workspace.root)
        end(workspace)


def run_half(shop: Command, **environment: str) -> None:
    done = shop(*RUN, "--sample", "50", "--wait")
    assert done.code == 0, done.err


def spec_of(cloud: Cloud, uid: str) -> ExperimentSpec:
    uri = f"gs://{BUCKET}/towerlab/runs/{uid}/spec.json"
    return ExperimentSpec.model_validate_json(cloud.bucket.get(uri))


def test_rows_are_sent_where_the_dataset_is_not_in_bigquery(shop: Command, cloud: Cloud):
    run_half(shop)
    asked = shop("promote", "1")
    assert asked.code == 2
    assert "300 rows are sent to Cloud Storage, about " in asked.err
    assert "Dataflow on e2-standard-4." in asked.err
    assert "Pass --yes." in asked.err
    assert shop("list", "--json").json["total"] == 1
    done = shop("promote", "1", "--yes", "--wait", "--json")
    assert done.code == 0, done.err
    seen = shop("show", "2", "--json").json
    assert (seen["status"], seen["backend"], seen["parent"]) == ("completed", "vertex", 1)
    assert seen["params"]["sample_percent"] == 100
    assert seen["tags"] == ["promoted"]
    spec = spec_of(cloud, seen["uid"])
    assert spec.examples.rows_uri is not None
    assert len(cloud.bucket.uris(f"{spec.examples.rows_uri}/")) == 3
    again = shop("promote", "2", "--yes")
    assert again.code == 2
    assert "ran on all rows on Google Cloud already" in again.err


def test_init_copies_tables_and_knows_where_they_are(tmp_path: Path, cloud: Cloud):
    write_groceries(tmp_path / "there", rows=600)
    names = ("transactions", "products", "demographics")
    files = {name: tmp_path / "there" / f"{name}.parquet" for name in names}
    cloud.bigquery.tables["sales"] = files
    (tmp_path / "shop").mkdir()
    write_settings(tmp_path / "shop", cloud)
    shop = Command(tmp_path / "shop")
    made = shop("init", "--bigquery", f"{PROJECT}.sales")
    assert made.code == 0, made.err
    assert f"of {PROJECT}.sales.transactions" in made.err
    written = shop("datasets", "show", "transactions", "--json").json
    assert written["definition"]["bigquery"] == {"project": PROJECT, "dataset": "sales"}
    assert {join["table"] for join in written["definition"]["joins"]} == {
        "products",
        "demographics",
    }
    found = shop("datasets", "summary", "transactions", "--json").json
    assert found["rows"] == 600
    assert len(found["bigquery"]["tables"]) == 3
    again = shop("init", "--bigquery", f"{PROJECT}.sales.transactions")
    assert f"Kept the copy of {PROJECT}.sales.transactions" in again.err
    for source, told in {
        f"{PROJECT}.sales.gone": f"BigQuery has no table {PROJECT}.sales.gone",
        "sales": "is neither PROJECT.DATASET nor PROJECT.DATASET.TABLE",
    }.items():
        refused = shop("init", "--bigquery", source)
        assert refused.code == 2
        assert told in refused.err
    assert "Say which data" in shop("init").err


def test_bigquery_is_read_where_the_dataset_is_there(shop: Command, cloud: Cloud):
    with (shop.folder / "definitions" / "datasets.toml").open("a") as file:
        file.write(BIGQUERY)
    run_half(shop)
    done = shop("promote", "1", "--yes", "--wait")
    assert done.code == 0, done.err
    assert "300 rows from BigQuery, which reads " in done.err
    seen = shop("show", "2", "--json").json
    spec = spec_of(cloud, seen["uid"])
    assert spec.examples.dialect == "bigquery"
    table = cloud.bigquery.tables["sales"]["ratings"]
    time.sleep(0.01)
    table.touch()
    assert shop("rerun", "2", "--wait").code == 0
    later = spec_of(cloud, shop("show", "3", "--json").json["uid"])
    assert later.examples.queries == spec.examples.queries
    assert later.examples.fingerprint != spec.examples.fingerprint


def test_bigquery_out_of_reach_is_told_and_stops_nobody(shop: Command, cloud: Cloud):
    with (shop.folder / "definitions" / "datasets.toml").open("a") as file:
        file.write(BIGQUERY)
    run_half(shop)
    cloud.bigquery.faults.plan("*", "refuse", status="PERMISSION_DENIED", message="no")
    asked = shop("promote", "1")
    assert "how much it reads isn't known: Your account may not" in asked.err
    assert "roles/bigquery.user" in asked.err


def test_a_missing_table_is_told_before_anything_is_stored(shop: Command, cloud: Cloud):
    with (shop.folder / "definitions" / "datasets.toml").open("a") as file:
        file.write(f'{BIGQUERY}tables = {{ ratings = "gone" }}\n')
    done = shop(*RUN, "--backend", "vertex")
    assert done.code == 2
    assert f"BigQuery has no table {PROJECT}.sales.gone" in done.err
    assert shop("list", "--json").json["total"] == 0


def test_a_summary_tells_the_tables_and_what_reading_them_costs(shop: Command):
    assert shop("datasets", "summary", "ratings", "--json").json["bigquery"] is None
    with (shop.folder / "definitions" / "datasets.toml").open("a") as file:
        file.write(BIGQUERY)
    told = shop("datasets", "summary", "ratings", "--json").json["bigquery"]
    assert [(table["id"], table["rows"]) for table in told["tables"]] == [
        (f"{PROJECT}.sales.ratings", 300)
    ]
    assert told["bytes"] == told["tables"][0]["bytes"]
    shown = shop("datasets", "summary", "ratings").out
    assert "BigQuery reads " in shown
    assert f"{PROJECT}.sales.ratings" in shown


def test_one_key_of_the_app_promotes(shop: Command):
    run_half(shop)
    terminal = Terminal(cwd=shop.folder, LANG="C.UTF-8", COLORTERM="truecolor")
    try:
        screen = Screen(terminal, 80, 24)
        screen.wait_for("#1", "R@100", "r rerun")
        screen.press("P")
        screen.wait_for("Run #1 on all rows, on Google Cloud?", "300 rows are sent", "n Esc")
        screen.press("n")
        assert [one["number"] for one in shop("list", "--json").json["items"]] == [1]
        screen.press("P")
        screen.wait_for("Run #1 on all rows, on Google Cloud?", "300 rows are sent", "n Esc")
        screen.press("y")
        screen.wait_for("#2", "vertex", "✔ completed")
        screen.press("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_an_experiment_without_a_result_is_asked_about_twice(shop: Command, cloud: Cloud):
    set_behaviour(shop.folder, '{"seconds": 0.3, "fails_in": "Train"}')
    assert shop(*RUN, "--sample", "50", "--wait").code == 1
    refused = shop("promote", "1", "--yes")
    assert refused.code == 2
    assert "Warning: Experiment #1 has no result: it is failed." in refused.err
    assert "Pass --anyway." in refused.err
    asked = Terminal("promote", "1", cwd=shop.folder)
    try:
        asked.read_until("on Google Cloud? [y/N]")
        asked.press("y\r")
        asked.read_until("All the same? [y/N]")
        asked.press("n\r")
        assert asked.wait() == 130
    finally:
        asked.close()
    assert shop("list", "--json").json["total"] == 1
