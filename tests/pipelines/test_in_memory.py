"""The components without Beam give what TFX's own give on the same rows."""

import json
import shutil

import duckdb
import numpy as np
import pytest

from tests.pipelines.grocery_spec import AGE, grocery_examples, grocery_spec
from tests.sample_data import write_groceries

pytestmark = pytest.mark.pipeline

_ORDINALS = ("at.bucketize_5", "spent.bucketize_10")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run ExampleGen to Transform with our components and with TFX's; returns both roots.

    TFX's read the examples that the cloud's ExampleGen makes of the rows that ours wrote.
    """
    from pipelines.pipeline import LOCAL_BEAM_ARGS, create_pipeline

    # isort: split
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner
    from tfx.orchestration.pipeline import RunOptions

    folder = tmp_path_factory.mktemp("both")
    data = write_groceries(folder / "data")
    spec = grocery_spec(data)
    for name, beam_args in (("ours", ()), ("stock", LOCAL_BEAM_ARGS)):
        (folder / name).mkdir()
        if name == "stock":
            spec = spec.replace(examples=spec.examples.replace(rows_uri=_handed_over(folder)))
        pipeline = create_pipeline(
            spec,
            pipeline_root=str(folder / name),
            run_folder=str(folder / name / "run"),
            metadata_path=str(folder / name / "metadata.db"),
            beam_args=beam_args,
        )
        LocalDagRunner().run(pipeline, run_options=RunOptions(to_nodes=["Transform"]))
    train = duckdb.sql(grocery_examples(data).queries["train"]).df()
    return folder / "stock", folder / "ours", train


def _handed_over(folder):
    (examples,) = (folder / "ours" / "ExampleGen").glob("examples/*")
    for split in examples.glob("Split-*"):
        shutil.copytree(split, folder / "rows" / split.name.removeprefix("Split-"))
    return str(folder / "rows")


def statistics_of(root):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    (file,) = (root / "StatisticsGen").glob("statistics/*/Split-train/FeatureStats.pb")
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes()).datasets
    return dataset


def transform_of(root):
    (graph,) = (root / "Transform").glob("transform_graph/*")
    return graph


def test_the_statistics_are_equal(both):
    stock, ours = (statistics_of(root) for root in both[:2])
    assert stock.num_examples == ours.num_examples
    found = {feature.path.step[0]: feature for feature in ours.features}
    assert found.keys() == {feature.path.step[0] for feature in stock.features}
    for expected in stock.features:
        feature = found[expected.path.step[0]]
        kind = expected.WhichOneof("stats")
        assert feature.WhichOneof("stats") == kind
        assert feature.type == expected.type
        own, theirs = getattr(feature, kind), getattr(expected, kind)
        assert own.common_stats.num_non_missing == theirs.common_stats.num_non_missing
        assert own.common_stats.num_missing == theirs.common_stats.num_missing
        assert own.common_stats.tot_num_values == theirs.common_stats.tot_num_values
        if kind == "num_stats":
            assert (own.min, own.max, own.num_zeros) == (theirs.min, theirs.max, theirs.num_zeros)
            assert own.mean == pytest.approx(theirs.mean, rel=1e-6)
            assert own.std_dev == pytest.approx(theirs.std_dev, rel=1e-6)
        else:
            assert own.unique == theirs.unique
            assert list(own.rank_histogram.buckets) == list(theirs.rank_histogram.buckets)
            assert list(own.top_values) == list(theirs.top_values)


def schema_of(root):
    """Return what a schema says of each feature, and its other parts."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    (file,) = root.glob("SchemaGen/schema/*/schema.pbtxt")
    schema = text_format.Parse(file.read_text(), schema_pb2.Schema())
    parts = [*schema.feature, *schema.string_domain]
    schema.ClearField("feature")
    schema.ClearField("string_domain")
    return {part.name: str(part) for part in parts}, str(schema)


def test_the_schemas_are_equal(both):
    stock, ours = (schema_of(root) for root in both[:2])
    assert stock == ours


def test_the_vocabularies_are_equal_ties_included(both):
    stock, ours = (transform_of(root) / "transform_fn" / "assets" for root in both[:2])
    names = sorted(path.name for path in stock.iterdir())
    assert names == sorted(path.name for path in ours.iterdir())
    assert len(names) == 6
    for name in names:
        assert (stock / name).read_bytes() == (ours / name).read_bytes(), name


def test_the_tensors_are_equal_but_for_what_quantiles_may_differ(both):
    import pipelines.tf_environment  # noqa: F401, I001
    import tensorflow as tf
    import tensorflow_transform as tft

    stock, ours = (tft.TFTransformOutput(str(transform_of(root))) for root in both[:2])
    (file,) = both[0].glob("ExampleGen/examples/*/Split-train/*")
    records = list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
    raw = tf.io.parse_example(records, stock.raw_feature_spec())
    assert stock.raw_feature_spec() == ours.raw_feature_spec()
    expected, found = (each.transform_features_layer()(raw) for each in (stock, ours))
    assert found.keys() == expected.keys() >= set(_ORDINALS)
    for name, tensor in expected.items():
        own, theirs = found[name].numpy(), tensor.numpy()
        assert own.dtype == theirs.dtype
        if name in _ORDINALS or name.endswith("cross_50"):
            assert np.mean(own != theirs) <= 0.02, name
        else:
            np.testing.assert_allclose(own, theirs, atol=1e-6, err_msg=name)


def test_buckets_hold_equal_shares_within_epsilon(both):
    import pipelines.tf_environment  # noqa: F401, I001
    import tensorflow as tf
    import tensorflow_transform as tft

    transform = tft.TFTransformOutput(str(transform_of(both[1])))
    (file,) = both[0].glob("ExampleGen/examples/*/Split-train/*")
    records = list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
    raw = tf.io.parse_example(records, transform.raw_feature_spec())
    found = transform.transform_features_layer()(raw)
    for name, buckets in zip(_ORDINALS, (5, 10), strict=True):
        shares = np.bincount(found[name].numpy(), minlength=buckets + 1)[1:] / len(records)
        np.testing.assert_allclose(shares, 1 / buckets, atol=0.02, err_msg=name)


def test_the_age_is_learnt_from_train_alone(both):
    import tensorflow_transform as tft

    from pipelines.tensors import safe_name

    transform = tft.TFTransformOutput(str(transform_of(both[1])))
    written = [token.decode() for token in transform.vocabulary_by_name(safe_name(AGE))]
    assert sorted(written) == sorted(both[2][AGE].dropna().unique())


def test_the_cache_knows_the_code_of_the_components_without_beam(tmp_path):
    from pipelines import example_columns, statistics, transform
    from pipelines.code_hash import code_hash
    from pipelines.pipeline import create_pipeline

    pipeline = create_pipeline(
        grocery_spec(write_groceries(tmp_path / "data")),
        pipeline_root=str(tmp_path),
        run_folder=str(tmp_path / "run"),
        metadata_path=None,
    )
    properties = {component.id: component.exec_properties for component in pipeline.components}
    found = properties["StatisticsGen"]["code_hash"]
    assert found == code_hash(statistics.__file__, example_columns.__file__)
    config = json.loads(properties["Transform"]["custom_config"])
    assert config[transform.EXECUTOR_HASH] == code_hash(
        transform.__file__, example_columns.__file__
    )
