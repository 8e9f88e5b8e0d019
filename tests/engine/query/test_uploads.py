"""Rows that are sent to Google Cloud are those that a local run would read."""

from pathlib import Path

import duckdb
import pytest

from engine.errors import InvalidInput
from engine.query.uploads import write_rows
from engine.spec import SPLITS
from tests.engine.planned import Workspace


def test_each_split_has_a_file_with_its_rows(tmp_path: Path):
    plan = Workspace(tmp_path).plan(backend="vertex", upload_rows=True)
    files = write_rows(plan.examples, tmp_path / "it's here")
    assert [file.parent.name for file in files] == list(SPLITS)
    for split, file in zip(SPLITS, files, strict=True):
        with duckdb.connect() as connection:
            rows = connection.execute(plan.examples.queries[split]).fetchall()
            found = connection.execute("FROM read_parquet(?)", [str(file)]).fetchall()
        assert found == rows
        assert len(rows) == getattr(plan.rows, split)


def test_data_that_has_changed_since_the_plan_is_not_sent(tmp_path: Path):
    workspace = Workspace(tmp_path)
    plan = workspace.plan(backend="vertex", upload_rows=True)
    with (tmp_path / "ratings.csv").open("a") as file:
        file.write("u1,i1,5,2024-01-01 00:00:00,Title\n")
    with pytest.raises(InvalidInput, match="has changed since the experiment was submitted"):
        write_rows(plan.examples, tmp_path / "rows")
    (tmp_path / "ratings.csv").unlink()
    with pytest.raises(InvalidInput, match="can't be read any more"):
        write_rows(plan.examples, tmp_path / "rows")


def test_data_that_changes_while_it_is_read_is_not_sent(tmp_path: Path):
    plan = Workspace(tmp_path).plan(backend="vertex", upload_rows=True)
    target = tmp_path / "ratings.csv"
    overwriting = {"changed": f"SELECT 1 AS a; COPY changed TO '{target}'"}
    examples = plan.examples.replace(kept={**plan.examples.kept, **overwriting})
    with pytest.raises(InvalidInput, match=r"ratings\.csv has changed since the experiment"):
        write_rows(examples, tmp_path / "rows")
