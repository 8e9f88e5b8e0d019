"""Datasets that are in BigQuery only: what a run needs here, and the command that brings it."""

from pathlib import Path

import pytest

from engine.definitions.reading import read_definitions
from engine.errors import InvalidInput
from engine.validation import check_against_data
from tests.engine.planned import RATINGS, Workspace

SOURCE = '[datasets.ratings.bigquery]\nproject = "shop-123"\ndataset = "sales"\n\n'
TABLES = 'tables = { ratings = "ratings.csv" }\n'
COPIES = (
    "datasets.ratings.tables: names no file: a run needs copies of the tables in BigQuery on this"
    " machine as well. `towerlab init --bigquery shop-123.sales` makes them, and a dataset with"
    " both."
)


def defined(folder: Path, tables: str, source: str = SOURCE) -> str:
    """Write a dataset whose tables are told so, and return the first thing that is wrong."""
    text = RATINGS.replace(TABLES, tables).replace("[features.basic]", source + "[features.basic]")
    definitions = folder / "definitions"
    definitions.mkdir(exist_ok=True)
    (definitions / "all.toml").write_text(text)
    return str(read_definitions(definitions).problems[0])


@pytest.mark.parametrize("tables", ["", "tables = {}\n"])
def test_a_dataset_without_files_says_how_to_copy_them(tmp_path: Path, tables: str):
    assert defined(tmp_path, tables).endswith(COPIES)


def test_a_source_that_is_wrong_itself_is_told_with_placeholders(tmp_path: Path):
    told = defined(tmp_path, "", "[datasets.ratings.bigquery]\n\n")
    assert "`towerlab init --bigquery PROJECT.DATASET` makes them" in told


def test_a_dataset_in_neither_place_names_no_table(tmp_path: Path):
    assert defined(tmp_path, "tables = {}\n", "").endswith(
        "datasets.ratings.tables: names no table"
    )
    assert defined(tmp_path, "", "").endswith("datasets.ratings.tables: is missing")


@pytest.mark.parametrize(
    ("there", "table", "file"),
    [
        ("", "shop-123.sales.ratings", "ratings"),
        ('tables = { ratings = "stars" }\n\n', "shop-123.sales.stars", "stars"),
        ('tables = { ratings = "other.old.stars" }\n\n', "other.old.stars", "stars"),
    ],
)
@pytest.mark.parametrize("path", ["data/ratings.parquet", "shop-123.sales.ratings"])
@pytest.mark.parametrize("backend", ["local", "vertex"])
def test_a_missing_file_says_how_to_copy_its_table(
    tmp_path: Path, there: str, table: str, file: str, path: str, backend: str
):
    workspace = Workspace(tmp_path)
    (tmp_path / "ratings.csv").unlink()
    source = SOURCE.rstrip("\n") + f"\n{there or chr(10)}"
    text = RATINGS.replace("ratings.csv", path).replace(
        "[features.basic]", f"{source}[features.basic]"
    )
    workspace.define(text)
    told = (
        "A run needs a copy of the table on this machine as well: `towerlab init --bigquery"
        f" {table}` makes data/{file}.parquet."
    )
    refused = workspace.refusal(backend=backend)
    assert f'table "ratings": there is no file {tmp_path / path}.' in refused
    assert refused.endswith(told)
    checked = check_against_data("datasets", ["ratings"], workspace.definitions, root=tmp_path)
    assert str(checked.problems[0]).endswith(told)


def test_a_missing_file_of_a_local_dataset_is_told_as_before(tmp_path: Path):
    workspace = Workspace(tmp_path)
    (tmp_path / "ratings.csv").unlink()
    with pytest.raises(InvalidInput, match="Relative paths start at the workspace's folder"):
        workspace.plan()
