"""Definition files that the tests of this folder start from."""

from pathlib import Path
from textwrap import dedent

from engine.definitions.reading import read_definitions
from engine.definitions.snapshot import Definitions

GROCERY = dedent(
    """\
    [datasets.grocery]
    primary = "transactions"

    [datasets.grocery.tables]
    transactions = "data/transactions.parquet"
    products = "data/products.parquet"

    [[datasets.grocery.joins]]
    table = "products"
    on = { product_id = "product_id" }

    [datasets.grocery.columns]
    household = "transactions.household_id"
    product = "transactions.product_id"
    at = "transactions.transaction_timestamp"
    department = "products.department"

    [datasets.grocery.roles]
    buyer = "household"
    product = "product"
    timestamp = "at"

    [[datasets.grocery.filters]]
    column = "department"
    in = ["GROCERY", "DELI"]
    """
)
BASIC = dedent(
    """\
    [features.basic]
    dataset = "grocery"

    [[features.basic.buyer]]
    column = "household"
    primary = true

    [[features.basic.product]]
    column = "product"
    primary = true

    [[features.basic.product]]
    column = "department"
    """
)
STANDARD = '[models.standard]\ntype = "retrieval"\npreset = "standard"\n'


def read(folder: Path, text: str, previous: Definitions | None = None) -> Definitions:
    """Write one definition file and read its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "all.toml").write_text(text, encoding="utf-8")
    return read_definitions(folder, previous)


def problems(folder: Path, text: str) -> list[str]:
    """Write one definition file and return what is wrong with it."""
    return [str(problem) for problem in read(folder, text).problems]
