"""BigQuery by Google's client against a server that speaks its protocol over real rows."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from engine.bigquery.asking import ask_reading
from engine.bigquery.warehouse import Warehouse, tables_in
from engine.config import CloudSettings, EndpointSettings
from engine.errors import EnvironmentNotReady, InvalidInput
from tests.cloud.bigquery_server import BigQuery
from tests.cloud.certificates import make_identity, write_service_account
from tests.cloud.servers import http_server
from tests.sample_data import write_groceries

PROJECT = "shop-test"
TABLE = f"{PROJECT}.sales.transactions"


class Served:
    """The server and a warehouse that asks it."""

    def __init__(self, server: BigQuery, url: str) -> None:
        self.server, self.url = server, url
        self.warehouse = Warehouse(PROJECT, url)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bigquery")
    write_groceries(folder, rows=300)
    duckdb.sql(
        "SELECT 'u' || i AS buyer, ['a', 'b'] AS items, [1, 2] AS counts,"
        " TIMESTAMP '2024-01-01 12:00:00' AS at, i = 1 AS kept, i / 4 AS share, NULL::DATE AS day"
        " FROM range(3) r(i)"
    ).write_parquet(str(folder / "odd.parquet"))
    sales = {name: folder / f"{name}.parquet" for name in ("transactions", "products", "odd")}
    server = BigQuery(PROJECT, {"sales": sales, "empty": {}})
    account = folder / "account.json"
    with http_server.serve(server) as url, pytest.MonkeyPatch.context() as patch:
        tokens = http_server.JsonService([_token_route()])
        with http_server.serve(tokens, anonymous=True) as token_url:
            write_service_account(account, make_identity(), f"{token_url}/token")
            patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
            patch.setenv("NO_GCE_CHECK", "true")
            yield Served(server, url)


def _token_route() -> http_server.Route:
    answer = {"access_token": "a", "expires_in": 3600, "token_type": "Bearer"}
    return http_server.Route("POST", "/token", "Token", frozenset(), lambda request: answer)


@pytest.fixture(autouse=True)
def _without_faults(served: Served) -> Iterator[None]:
    yield
    served.server.faults.clear()


def test_tables_are_listed_with_their_whole_names(served: Served):
    found = served.warehouse.table_ids(f"{PROJECT}.sales")
    assert found == [f"{PROJECT}.sales.{name}" for name in ("odd", "products", "transactions")]
    assert served.warehouse.table_ids(f"{PROJECT}.empty") == []


def test_a_table_tells_its_rows_bytes_time_and_columns(served: Served):
    found = served.warehouse.table(f"{PROJECT}.sales.odd")
    assert found.rows == 3
    assert {column.name: column.type for column in found.columns} == {
        "buyer": "STRING",
        "items": "STRING",
        "counts": "INTEGER",
        "at": "TIMESTAMP",
        "kept": "BOOLEAN",
        "share": "FLOAT",
        "day": "DATE",
    }
    assert [column.name for column in found.columns if column.repeated] == ["items", "counts"]
    # buyer 3 * (2 + 2), items 6 * (2 + 1), counts 6 * 8, at 3 * 8, share 3 * 8, kept 3 * 1, no day
    assert found.bytes == 12 + 18 + 48 + 24 + 24 + 3
    file = served.server.tables["sales"]["odd"]
    assert found.modified_at.timestamp() == pytest.approx(file.stat().st_mtime, abs=0.01)


def test_a_dry_run_counts_the_columns_that_are_named_and_runs_nothing(served: Served):
    one = served.warehouse.bytes_read(f"SELECT household_id FROM `{TABLE}`")
    two = served.warehouse.bytes_read(f"SELECT household_id, quantity FROM `{TABLE}` WHERE TRUE")
    assert (one, two) == (300 * 8, 300 * 16)
    assert served.server.queries == []


def test_a_reading_names_the_tables_of_all_queries(served: Served):
    queries = [
        f"SELECT household_id FROM `{TABLE}`",
        f"WITH t AS (SELECT product_id FROM `{TABLE}`) SELECT * FROM t"
        f" JOIN `{PROJECT}.sales.products` AS p ON t.product_id = p.product_id",
    ]
    assert tables_in(queries) == [f"{PROJECT}.sales.products", TABLE]
    found = served.warehouse.reading(queries)
    assert [table.id for table in found.tables] == [f"{PROJECT}.sales.products", TABLE]
    assert found.bytes == sum(served.warehouse.bytes_read(sql) for sql in queries)


def test_rows_are_downloaded_as_they_are(served: Served, tmp_path: Path):
    served.warehouse.download(f"{PROJECT}.sales.odd", tmp_path / "odd.parquet")
    found = pq.read_table(tmp_path / "odd.parquet").to_pylist()
    assert [row["buyer"] for row in found] == ["u0", "u1", "u2"]
    assert found[1]["items"] == ["a", "b"]
    assert (found[1]["kept"], found[1]["share"], found[1]["day"]) == (True, 0.25, None)
    assert found[0]["at"].isoformat() == "2024-01-01T12:00:00+00:00"
    assert [file.name for file in tmp_path.iterdir()] == ["odd.parquet"]


def test_many_rows_come_in_pages(served: Served, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("engine.bigquery.warehouse._PAGE_ROWS", 70)
    served.warehouse.download(TABLE, tmp_path / "t.parquet")
    whole = duckdb.sql(f"FROM '{served.server.tables['sales']['transactions']}' ORDER BY ALL")
    here = duckdb.sql(f"FROM '{tmp_path / 't.parquet'}' ORDER BY ALL")
    columns = "household_id, product_id, quantity, sales_value"
    assert here.project(columns).fetchall() == whole.project(columns).fetchall()


@pytest.mark.parametrize("name", ["sales.nothing", "nowhere.transactions"])
def test_a_missing_table_is_told_by_its_name(served: Served, name: str):
    with pytest.raises(InvalidInput, match=f"BigQuery has no table {PROJECT}.{name}|no dataset"):
        served.warehouse.table(f"{PROJECT}.{name}")


def test_a_query_that_bigquery_does_not_take_is_bad_input(served: Served):
    with pytest.raises(InvalidInput, match="BigQuery doesn't try a query: .*nothing"):
        served.warehouse.bytes_read(f"SELECT nothing FROM `{TABLE}`")


def test_another_project_is_refused_with_the_role(served: Served):
    with pytest.raises(EnvironmentNotReady, match="may not list the tables") as refused:
        Warehouse("other-project", served.url).table_ids("other-project.sales")
    assert "roles/bigquery.user" in refused.value.hint


def test_an_expired_login_and_no_network_are_told_apart(served: Served, monkeypatch):
    served.server.faults.plan("ListTables", "refuse", status="UNAUTHENTICATED")
    with pytest.raises(EnvironmentNotReady, match="login to Google Cloud has expired"):
        served.warehouse.table_ids(f"{PROJECT}.sales")
    monkeypatch.setattr("engine.bigquery.warehouse._OPTIONS", {"timeout": 2, "retry": None})
    with pytest.raises(EnvironmentNotReady, match="BigQuery can't be reached"):
        Warehouse(PROJECT, "http://127.0.0.1:9").table(TABLE)


def test_nobody_signed_in_is_told(served: Served, monkeypatch, tmp_path: Path):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(EnvironmentNotReady, match="Nobody is signed in") as refused:
        Warehouse(PROJECT, served.url).table(TABLE)
    assert "gcloud auth application-default login" in refused.value.hint


def settings(served: Served, **changes: str) -> CloudSettings:
    endpoint = changes.get("bigquery", served.url)
    return CloudSettings(project=PROJECT, endpoints=EndpointSettings(bigquery=endpoint))


def test_another_process_asks(served: Served):
    sql = f"SELECT household_id FROM `{TABLE}`"
    found = ask_reading([sql, sql], settings(served), PROJECT)
    assert found.bytes == 2 * 300 * 8
    assert found.tables[0].rows == 300


def test_another_process_tells_what_is_wrong(served: Served):
    with pytest.raises(InvalidInput, match="no table"):
        ask_reading([f"SELECT a FROM `{PROJECT}.sales.gone`"], settings(served), PROJECT)


def test_a_hanging_service_is_given_up(served: Served):
    served.server.faults.plan("GetTable", "hang")
    with pytest.raises(EnvironmentNotReady, match="within 6 s"):
        ask_reading(
            [f"SELECT product_id FROM `{TABLE}`"], settings(served), PROJECT, deadline_seconds=6
        )
