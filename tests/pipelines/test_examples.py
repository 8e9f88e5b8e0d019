"""DuckDB rows as examples."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from pipelines.errors import RunFailure

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from tfx.types import standard_artifacts  # noqa: E402
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder  # noqa: E402

from engine.spec import SPLIT, SPLITS, ExamplesQuery, SourceFile  # noqa: E402
from pipelines.data import Examples, TowerInput, in_order  # noqa: E402
from pipelines.example_columns import batches  # noqa: E402
from pipelines.examples import (  # noqa: E402
    DuckDBExecutor,
    check_unchanged,
    example_gen,
    write_examples,
)


def examples_of(sql: str, folder) -> list[dict]:
    return split_examples(f"SELECT *, 'train' AS {SPLIT} FROM ({sql})", folder)["train"]


def split_examples(sql: str, folder) -> dict[str, list[dict]]:
    paths = {split: str(folder / f"Split-{split}" / "data.parquet") for split in SPLITS}
    rows = write_examples(sql, paths)
    found = {
        split: [
            {name: values or [] for name, values in row.items()}
            for batch in batches([path])
            for row in batch.to_pylist()
        ]
        for split, path in paths.items()
    }
    assert rows == {split: len(examples) for split, examples in found.items()}
    return found


def test_values_keep_their_type_and_nulls_are_missing(tmp_path):
    sql = """SELECT * FROM (VALUES
        (1::BIGINT, 'ü'::VARCHAR, 1.5::FLOAT), (NULL, NULL, NULL), (-3, '', 'nan'::FLOAT)
    ) t(a, b, c)"""
    first, second, third = examples_of(sql, tmp_path)
    assert first == {"a": [1], "b": ["ü".encode()], "c": [1.5]}
    assert not any(second.values())
    assert (third["a"], third["b"]) == ([-3], [b""])
    assert third["c"] != third["c"] or third["c"][0] != third["c"][0]


def test_more_rows_than_a_batch_keep_their_order(tmp_path):
    found = examples_of("SELECT i FROM range(45_000) r(i)", tmp_path)
    assert [row["i"][0] for row in found] == list(range(45_000))


def test_each_row_goes_to_its_split_and_one_without_goes_nowhere(tmp_path):
    split = "CASE i % 4 WHEN 0 THEN 'train' WHEN 1 THEN 'eval' WHEN 2 THEN 'test' END"
    found = split_examples(f"SELECT i, {split} AS {SPLIT} FROM range(50_000) r(i)", tmp_path)
    for part, split in enumerate(SPLITS):
        assert [row["i"] for row in found[split]] == [[i] for i in range(part, 50_000, 4)]
        assert set(found[split][0]) == {"i"}


def test_tables_are_kept_before_the_query_reads_them(tmp_path):
    paths = {split: str(tmp_path / split / "data.parquet") for split in SPLITS}
    kept = {"numbers": "SELECT i FROM range(5) r(i)", "others": "FROM numbers WHERE i > 1"}
    sql = f"SELECT i, 'test' AS {SPLIT} FROM others"
    assert write_examples(sql, paths, kept=kept) == {"train": 0, "eval": 0, "test": 3}


def test_no_rows_make_an_empty_file(tmp_path):
    assert examples_of("SELECT 1 AS a WHERE false", tmp_path) == []


def test_a_source_that_is_gone_is_a_failure_with_its_cause(tmp_path):
    with pytest.raises(RunFailure, match="nowhere.parquet"):
        examples_of(f"FROM '{tmp_path}/nowhere.parquet'", tmp_path)


def test_a_damaged_source_is_a_failure(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no parquet at all PAR1")
    with pytest.raises(RunFailure, match="The data can't be read"):
        examples_of(f"FROM '{tmp_path}/bad.parquet'", tmp_path)


def test_a_list_is_several_values_and_an_empty_one_is_missing(tmp_path):
    sql = """SELECT * FROM (VALUES
        (['a', NULL, 'ü'], [1, 2]), ([], NULL), (NULL, [3]), (['b'], [NULL]::INT[])
    ) t(a, b)"""
    rows = examples_of(sql, tmp_path)
    assert [row["a"] for row in rows] == [[b"a", "ü".encode()], [], [], [b"b"]]
    assert [row["b"] for row in rows] == [[1, 2], [], [3], []]


def test_records_of_tfx_and_parquet_give_the_same_columns(tmp_path):
    sql = """SELECT * FROM (VALUES
        (['a', NULL, 'ü'], 1.5::FLOAT, 'x'), ([], NULL, NULL), (NULL, 0, ''), (['b'], 2, 'y')
    ) t(words, price, name)"""
    paths = {split: str(tmp_path / split / "data.parquet") for split in SPLITS}
    write_examples(f"SELECT *, 'train' AS {SPLIT} FROM ({sql})", paths)
    (columns,) = batches([paths["train"]])
    records = str(tmp_path / "records")
    with tf.io.TFRecordWriter(records, "GZIP") as file:
        for example in RecordBatchToExamplesEncoder().encode(columns):
            file.write(example)
    first, second = batches([records], 3)
    assert [*first.to_pylist(), *second.to_pylist()] == [
        {name: row[name] for name in first.schema.names} for row in columns.to_pylist()
    ]


def rows_in_memory(keys, labels, ids) -> Examples:
    rows = len(keys)
    tower = TowerInput(np.array(ids, np.int32).reshape(rows, 1), np.zeros((rows, 0), np.float32))
    return Examples(
        buyer=np.full(rows, b"u", object),
        product=np.array([b"i%d" % key for key in keys], object),
        row_key=np.array(keys, np.int64),
        timestamp=np.zeros(rows, np.int64),
        query=tower,
        candidate=tower._replace(histories=np.zeros((rows, 0), np.int32)),
        label=np.array(labels, np.float32),
    )


def test_the_rows_in_memory_have_one_order_however_they_were_written():
    keys, labels, ids = [5, -2, 5, 5, 1, 5], [3, 0, 1, math.nan, 0, 1], [1, 0, 2, 0, 0, 1]
    expected = [(-2, 0, 0), (1, 0, 0), (5, 1, 1), (5, 2, 1), (5, 1, 3), (5, 0, math.nan)]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(6)
        found = in_order(rows_in_memory(*(np.array(c)[order] for c in (keys, labels, ids))))
        rows = zip(found.row_key, found.query.ids[:, 0], found.label, strict=True)
        assert repr([tuple(map(float, row)) for row in rows]) == repr(
            [tuple(map(float, row)) for row in expected]
        )


def planned(path) -> SourceFile:
    stat = path.stat()
    return SourceFile(path=str(path), size=stat.st_size, modified_ns=stat.st_mtime_ns)


def test_a_file_that_changed_since_it_was_planned_is_refused_by_name(tmp_path):
    kept, changed = tmp_path / "kept.csv", tmp_path / "changed.csv"
    kept.write_text("a")
    changed.write_text("a")
    files = [planned(kept), planned(changed)]
    check_unchanged(files)
    changed.write_text("ab")
    with pytest.raises(RunFailure, match=r"changed\.csv has changed since") as refused:
        check_unchanged(files)
    assert "Rerun" in refused.value.hint
    changed.unlink()
    with pytest.raises(RunFailure, match=r"changed\.csv can't be read any more: No such file"):
        check_unchanged(files)


def test_the_component_carries_the_files_to_its_executor(tmp_path):
    (tmp_path / "t.csv").write_text("a")
    file = planned(tmp_path / "t.csv")
    query = ExamplesQuery(
        dialect="duckdb",
        sql="SELECT 1 AS a",
        columns=(),
        buyer="a",
        product="a",
        timestamp=None,
        fingerprint="f",
        files=(file,),
    )
    properties = example_gen(query).spec.exec_properties
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "out")
    (tmp_path / "t.csv").write_text("ab")
    with pytest.raises(RunFailure, match=r"t\.csv has changed"):
        DuckDBExecutor().Do({}, {"examples": [examples]}, properties)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sql", ["FROM t", "SELECT nowhere FROM t"])
def test_a_file_that_changes_while_it_is_read_leaves_no_examples_behind(tmp_path, sql):
    path, changed = tmp_path / "t.csv", tmp_path / "changed.csv"
    path.write_text("a\n1\n")
    changed.write_text("a,b\n1,2\n")
    query = ExamplesQuery(
        dialect="duckdb",
        sql=f"SELECT *, 'train' AS {SPLIT} FROM ({sql})",
        # What reads the file also writes over it: DuckDB has no slower way to be interrupted.
        kept={"t": f"FROM '{changed}'", "u": f"FROM t; COPY t TO '{path}'"},
        columns=(),
        buyer="a",
        product="a",
        timestamp=None,
        fingerprint="f",
        files=(planned(path),),
    )
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "out")
    with pytest.raises(RunFailure, match=r"t\.csv has changed since the experiment"):
        DuckDBExecutor().Do({}, {"examples": [examples]}, example_gen(query).spec.exec_properties)
