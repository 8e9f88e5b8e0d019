"""What a run is asked for decides which rows and labels it reads, by amounts worked out by hand."""

from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from engine.planning import Plan
from engine.spec import SPLITS
from tests.engine.planned import Workspace
from tests.engine.query.translation import as_duckdb

DEFINITIONS = dedent(
    """\
    [datasets.all]
    primary = "t"
    tables = { t = "t.csv" }
    roles = { buyer = "user", product = "item" }

    [datasets.some]
    primary = "t"
    tables = { t = "t.csv" }
    roles = { buyer = "user", product = "item" }
    filters = [{ column = "stars", min = 3 }]

    [datasets.some.bigquery]
    project = "shop"
    dataset = "sales"

    [features.of-all]
    dataset = "all"
    target = "stars"
    buyer = [{ column = "user", primary = true, dim = 4 }]
    product = [{ column = "item", primary = true, dim = 4 }]

    [features.of-some]
    dataset = "some"
    target = "euros"
    buyer = [{ column = "user", primary = true, dim = 4 }]
    product = [{ column = "item", primary = true, dim = 4 }, { column = "euros" }]

    [models.standard]
    type = "ranking"
    preset = "standard"
    """
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """240 rows, 60 each of 1, 2, 3 and 4 stars, which cost 10, 20, 30 and 40 euros."""
    made = Workspace(tmp_path)
    rows = (f"u{i % 24},i{i % 7}x{i // 24},{1 + i % 4},{10 * (1 + i % 4)}" for i in range(240))
    (tmp_path / "t.csv").write_text("\n".join(["user,item,stars,euros", *rows]))
    made.define(DEFINITIONS)
    return made


def total(plan: Plan, column: str) -> tuple[int, float]:
    """Return how many rows all splits have together, and the sum of a column over them."""
    with duckdb.connect() as connection:
        for name, select in plan.examples.kept.items():
            connection.execute(f"CREATE TEMPORARY TABLE {name} AS {select}")
        count, added = connection.execute(
            f"SELECT count(*), sum({column}) FROM ({plan.examples.sql})"
        ).fetchall()[0]
    return count, added


def test_the_feature_config_decides_on_rows_and_labels(workspace: Workspace):
    """60 rows each of 1 to 4 stars add up to 600; of 3 and 4 stars there are 120, of 35 euros."""
    every = workspace.plan(feature_config="of-all")
    assert every.features.target is not None
    assert total(every, every.features.target.column) == (240, 600)
    some = workspace.plan(feature_config="of-some")
    assert some.features.target is not None
    assert total(some, some.features.target.column) == (120, 120 * 35)
    assert (every.features.product_dim, some.features.product_dim) == (4, 4 + 1)


def test_naming_the_dataset_only_checks_the_feature_configs(workspace: Workspace):
    plan = workspace.plan(feature_config="of-some", dataset="some")
    assert plan.examples == workspace.plan(feature_config="of-some").examples
    assert total(plan, "euros") == (120, 60 * 30 + 60 * 40)
    assert workspace.refusal(feature_config="of-some", dataset="all") == (
        'Feature config "of-some" belongs to dataset "some", not to "all". '
        'Of "all" there is "of-all".'
    )


def test_the_backend_decides_where_the_same_rows_are_read(workspace: Workspace):
    """Of 120 rows of 3 or 4 stars, whichever engine splits them."""
    local, cloud = (
        workspace.plan(feature_config="of-some", backend=backend) for backend in ("local", "vertex")
    )
    assert [plan.spec("0123456789abcdef", 1).backend for plan in (local, cloud)] == [
        "local",
        "vertex",
    ]
    found = 0
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS FROM '{workspace.root}/t.csv'")
        for split in SPLITS:
            here = connection.execute(local.examples.queries[split]).fetchall()
            assert "`shop`.`sales`.`t`" in cloud.examples.queries[split]
            there = connection.execute(as_duckdb(cloud.examples.queries[split])).fetchall()
            assert sorted(here) == sorted(there)
            found += len(there)
    assert found == 120
