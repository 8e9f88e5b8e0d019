"""DuckDB rows as `tf.train.Example`s."""

import pytest

import pipelines.tf_environment  # noqa: F401
from pipelines.errors import RunFailure

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from tfx.types import standard_artifacts  # noqa: E402

from engine.spec import ExamplesQuery, SourceFile  # noqa: E402
from pipelines.examples import (  # noqa: E402
    DuckDBExecutor,
    check_unchanged,
    example_gen,
    write_examples,
)


def examples_of(sql: str, folder) -> list[dict]:
    path = str(folder / "Split-train" / "data.gz")
    rows = write_examples(sql, path)
    found = []
    for record in tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append({name: value_of(feature) for name, feature in features.items()})
    assert rows == len(found)
    return found


def value_of(feature: tf.train.Feature) -> list:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


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


def test_no_rows_make_an_empty_file(tmp_path):
    assert examples_of("SELECT 1 AS a WHERE false", tmp_path) == []


def test_a_source_that_is_gone_is_a_failure_with_its_cause(tmp_path):
    with pytest.raises(RunFailure, match="nowhere.parquet"):
        write_examples(f"SELECT * FROM '{tmp_path}/nowhere.parquet'", str(tmp_path / "out.gz"))


def test_a_damaged_source_is_a_failure(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no parquet at all PAR1")
    with pytest.raises(RunFailure, match="The data can't be read"):
        write_examples(f"SELECT * FROM '{tmp_path}/bad.parquet'", str(tmp_path / "out.gz"))


def test_a_list_is_several_values_and_an_empty_one_is_missing(tmp_path):
    sql = """SELECT * FROM (VALUES
        (['a', NULL, 'ü'], [1, 2]), ([], NULL), (NULL, [3]), (['b'], [NULL]::INT[])
    ) t(a, b)"""
    rows = examples_of(sql, tmp_path)
    assert [row["a"] for row in rows] == [[b"a", "ü".encode()], [], [], [b"b"]]
    assert [row["b"] for row in rows] == [[1, 2], [], [3], []]


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
        queries=dict.fromkeys(("train", "eval", "test"), "SELECT 1 AS a"),
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
