"""A dataset that is in BigQuery only: refused with a command, which does what it says."""

from pathlib import Path

import pytest

from tests.cloud.servers.cloud import PROJECT, Cloud
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.engine.cli.command import Command
from tests.sample_data import write_groceries

__all__ = ["cloud", "served"]

pytestmark = pytest.mark.processes

WRITTEN = f"""
[datasets.orders]
TABLES
primary = "transactions"
roles = {{ buyer = "household_id", product = "product_id" }}
[datasets.orders.bigquery]
project = "{PROJECT}"
dataset = "sales"

[features.mine]
dataset = "orders"
buyer = [{{ column = "household_id", primary = true }}]
product = [{{ column = "product_id", primary = true }}]

[models.small]
type = "retrieval"
preset = "minimal"
"""
RUN = ("run", "--feature-config", "mine", "--model-config", "small", "--backend", "vertex")


@pytest.fixture
def shop(tmp_path: Path, cloud: Cloud) -> Command:
    (tmp_path / "there").mkdir()
    write_groceries(tmp_path / "there", rows=600)
    names = ("transactions", "products", "demographics")
    cloud.bigquery.tables["sales"] = {n: tmp_path / "there" / f"{n}.parquet" for n in names}
    (tmp_path / "shop" / "definitions").mkdir(parents=True)
    write_settings(tmp_path / "shop", cloud)
    return Command(tmp_path / "shop")


def write(shop: Command, tables: str) -> None:
    (shop.folder / "definitions" / "mine.toml").write_text(WRITTEN.replace("TABLES", tables))


@pytest.mark.parametrize(
    ("tables", "command"),
    [
        ("", ("init", "--bigquery", f"{PROJECT}.sales")),
        (
            'tables = { transactions = "data/transactions.parquet" }',
            ("init", "--bigquery", f"{PROJECT}.sales.transactions"),
        ),
    ],
)
def test_the_command_that_is_told_makes_the_copies(
    shop: Command, tables: str, command: tuple[str, ...]
):
    write(shop, tables)
    for wanted in (("datasets", "validate"), RUN):
        refused = shop(*wanted)
        assert refused.code == 2
        assert f"towerlab {' '.join(command)}`" in refused.out + refused.err
    made = shop(*command)
    assert made.code == 0, made.err
    if tables:
        assert shop("datasets", "validate").code == 0
    else:
        assert shop("datasets", "validate", "transactions").code == 0
