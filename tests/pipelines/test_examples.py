"""DuckDB rows as `tf.train.Example`s."""

import pytest

import pipelines.tf_environment  # noqa: F401
from pipelines.errors import RunFailure

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.examples import write_examples  # noqa: E402


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
