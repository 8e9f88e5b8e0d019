"""Hand-computed values of every transform, learnt from six rows of train."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from engine.spec import (
    Column,
    Cross,
    CrossPart,
    ExamplesQuery,
    ExperimentSpec,
    Feature,
    FeatureConfig,
    ModelConfig,
    Tower,
    TrainingParams,
)
from pipelines.errors import RunFailure

pytestmark = pytest.mark.pipeline

MINUTE = 60_000_000


def micros(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000


WEIRD = "_Straße / größe-1"
TYPES = {
    "id": "STRING",
    "number": "INT64",
    "value": "FLOAT",
    "constant": "FLOAT",
    "at": "INT64",
    "still": "INT64",
    "close": "INT64",
    "nothing": "STRING",
    WEIRD: "STRING",
    "bought": "STRING",
    "never": "STRING",
}
CYCLES = ("yearly", "quarterly", "monthly", "weekly", "daily")
START = micros(2024, 7, 1)

TRAIN = [
    {"id": "b", "number": 7, "value": 1.0, "at": START, "close": START},
    {"id": "b", "number": 7, "value": 3.0, "at": START + 2 * MINUTE, "close": START + 10},
    {"id": "b", "number": 8, "value": math.nan, "at": START + 4 * MINUTE, "close": START + 20},
    {"id": "a", "number": 8, "value": math.inf, "at": START + 6 * MINUTE, "close": START + 30},
    {"id": "a", "number": 8, "value": 1.0, "at": START + 8 * MINUTE, "close": START + 40},
    {"id": "", "value": 3.0},
]
TRAIN[0]["bought"] = ["a", "only here"]
TRAIN = [{"constant": 5.5, "still": START, WEIRD: "x", **row} for row in TRAIN]


def crossed(*parts: tuple[str, int | None]) -> Cross:
    """Return a cross with 50 hashes; parts with buckets are numbers or the time."""
    kinds = {"value": "numeric", "at": "temporal"}
    return Cross(
        parts=tuple(
            CrossPart(column=column, data_type=kinds.get(column, "text"), buckets=buckets)
            for column, buckets in parts
        ),
        buckets=50,
        dim=2,
    )


def history(column: str) -> Feature:
    return Feature(
        column=column,
        data_type="history",
        transforms=("average",),
        dim=2,
        max_length=3,
        vocabulary="id",
    )


def spec_of(*features: Feature, crosses: tuple[Cross, ...] = ()) -> ExperimentSpec:
    key = Feature(column="id", data_type="text", transforms=("embed",), dim=2, primary=True)
    return ExperimentSpec(
        uid="0" * 12,
        number=1,
        dataset="d",
        examples=ExamplesQuery(
            dialect="duckdb",
            sql="",
            columns=tuple(Column(name=name, type=kind) for name, kind in TYPES.items()),
            buyer="id",
            product="id",
            timestamp="at",
            fingerprint="",
        ),
        features=FeatureConfig(
            name="f",
            dataset="d",
            buyer=(key, *features),
            product=(key,),
            buyer_crosses=crosses,
        ),
        model=ModelConfig(
            name="m",
            type="retrieval",
            buyer_tower=Tower(),
            product_tower=Tower(),
            output_dim=2,
            learning_rate=0.1,
        ),
        params=TrainingParams(sample_percent=100, epochs=1, batch_size=2, learning_rate=0.1),
    )


SPEC = spec_of(
    Feature(column="number", data_type="text", transforms=("embed",), dim=2),
    Feature(
        column="value", data_type="numeric", transforms=("normalize", "bucketize"), dim=2, buckets=2
    ),
    Feature(column="constant", data_type="numeric", transforms=("normalize",)),
    Feature(
        column="at",
        data_type="temporal",
        transforms=("normalize", *(f"cyclical_{cycle}" for cycle in CYCLES), "bucketize"),
        dim=2,
        buckets=5,
    ),
    Feature(column="still", data_type="temporal", transforms=("normalize",)),
    Feature(column="close", data_type="temporal", transforms=("normalize",)),
    Feature(column="nothing", data_type="text", transforms=("embed",), dim=2),
    Feature(column=WEIRD, data_type="text", transforms=("embed",), dim=2),
    history("bought"),
    history("never"),
    crosses=(
        crossed(("id", None), ("value", 2)),
        crossed(("id", None), ("number", None), ("at", 5)),
        crossed(("id", None), ("nothing", None)),
    ),
)


def listed(row: dict, name: str) -> list:
    """Return a column's values in a row."""
    value = row.get(name, [])
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def transform(tmp_path_factory):
    """Return a function from rows to tensors, analysed on TRAIN; "nothing" is not in the schema."""
    import pipelines.tf_environment  # noqa: F401, I001
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from apache_beam import Create, Pipeline
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    from pipelines import preprocessing

    dtypes = {"STRING": tf.string, "INT64": tf.int64, "FLOAT": tf.float32}
    known = {name: kind for name, kind in TYPES.items() if name not in {"nothing", "never"}}
    schema = schema_utils.schema_from_feature_spec(
        {name: tf.io.VarLenFeature(dtypes[kind]) for name, kind in known.items()}
    )
    config = preprocessing.transform_config(SPEC)
    folder = str(tmp_path_factory.mktemp("transform"))
    rows = [{name: listed(row, name) for name in known} for row in TRAIN]
    with (
        Pipeline(runner=FnApiRunner()) as pipeline,
        tft_beam.Context(temp_dir=folder + "/temp"),
    ):
        data = pipeline | Create(rows)
        fn = (data, dataset_metadata.DatasetMetadata(schema)) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = fn | tft_beam.WriteTransformFn(folder)
    layer = tft.TFTransformOutput(folder).transform_features_layer()

    def column(name: str, kind: str, rows: list[dict]) -> tf.SparseTensor:
        lists = [listed(row, name) for row in rows]
        values = tf.constant([value for values in lists for value in values], dtypes[kind])
        cells = [[i, j] for i, values in enumerate(lists) for j in range(len(values))]
        indices = np.array(cells, np.int64).reshape(-1, 2)
        return tf.SparseTensor(indices, values, [len(rows), max(map(len, lists))])

    def apply(*rows: dict) -> dict[str, np.ndarray]:
        tensors = {name: column(name, kind, rows) for name, kind in known.items()}
        return {name: value.numpy() for name, value in layer(tensors).items()}

    return apply


def test_tokens_are_numbered_by_frequency_after_missing(transform):
    out = transform({"id": "b"}, {"id": "a"}, {"id": "new"}, {"id": ""}, {})
    assert out["id.embed"].tolist() == [1, 2, 3, 0, 0]


def test_whole_numbers_can_be_tokens(transform):
    out = transform({"number": 8}, {"number": 7}, {"number": 9}, {})
    assert out["number.embed"].tolist() == [1, 2, 3, 0]


def test_a_column_of_any_name_has_a_vocabulary(transform):
    out = transform({WEIRD: "x"}, {WEIRD: "y"}, {})
    assert out["_Stra-df-e-20--2f--20-gr-f6--df-e-2d-1.embed"].tolist() == [1, 2, 0]


def test_a_column_without_values_in_train_has_no_tensor(transform):
    assert not [name for name in transform({"id": "b"}) if name.startswith("nothing")]


def test_numbers_become_z_scores_of_the_finite_values(transform):
    """Finite values in train: 1, 3, 1, 3: mean 2, standard deviation 1."""
    out = transform({"value": 1.0}, {"value": 4.0}, {"value": math.nan}, {"value": math.inf}, {})
    assert out["value.normalize"].tolist() == [[-1], [2], [0], [0], [0]]


def test_a_constant_column_is_zero_even_for_other_values(transform):
    out = transform({"constant": 5.5, "still": START}, {"constant": 9.0, "still": START + 1}, {})
    assert out["constant.normalize"].tolist() == [[0], [0], [0]]
    assert out["still.normalize"].tolist() == [[0], [0], [0]]


def test_numbers_fall_into_quantile_buckets_from_one(transform):
    out = transform({"value": 1.0}, {"value": 3.0}, {"value": -9.0}, {"value": math.nan}, {})
    assert out["value.bucketize_2"].tolist() == [1, 2, 1, 0, 0]


def test_times_become_z_scores_without_losing_microseconds(transform):
    """0, 10 … 40 µs apart: mean 20, standard deviation √200."""
    out = transform(*({"close": START + 10 * i} for i in range(5)), {})
    expected = [[(10 * i - 20) / math.sqrt(200)] for i in range(5)] + [[0]]
    np.testing.assert_allclose(out["close.normalize"], expected, atol=1e-6)


def test_times_fall_into_buckets_two_minutes_apart(transform):
    out = transform(*({"at": START + 2 * i * MINUTE} for i in range(5)), {})
    assert out["at.bucketize_5"].tolist() == [1, 2, 3, 4, 5, 0]


def fingerprint64(key: bytes) -> int:
    """Return FarmHash's Fingerprint64 of 4 to 16 bytes, after `HashLen0to16` of farmhash.cc."""
    k2, size = 0x9AE16A3B2F90404F, len(key)

    def rotated(value: int, by: int) -> int:
        return (value >> by | value << (64 - by)) % 2**64

    def mixed(value: int) -> int:
        return value ^ value >> 47

    def hashed(u: int, v: int, factor: int) -> int:
        first = mixed((u ^ v) * factor % 2**64)
        return mixed((v ^ first) * factor % 2**64) * factor % 2**64

    factor = (k2 + 2 * size) % 2**64
    if size >= 8:
        a = (int.from_bytes(key[:8], "little") + k2) % 2**64
        b = int.from_bytes(key[-8:], "little")
        c = (rotated(b, 37) * factor + a) % 2**64
        return hashed(c, (rotated(a, 25) + b) * factor % 2**64, factor)
    assert size >= 4
    a, b = (int.from_bytes(part, "little") for part in (key[:4], key[-4:]))
    return hashed(size + (a << 3), b, factor)


def test_crosses_are_hashes_of_tokens_and_buckets(transform):
    out = transform(
        {"id": "b", "number": 7, "value": 1.0, "at": START},
        {"id": "b", "number": 7, "value": 9.0, "at": START + 8 * MINUTE},
        {"id": "unseen", "number": 123, "value": -9.0, "at": START},
    )
    pairs = [b"1:b1:1", b"1:b1:2", b"6:unseen1:1"]
    assert out["id.value-2.cross_50"].tolist() == [1 + fingerprint64(key) % 50 for key in pairs]
    triples = [b"1:b1:71:1", b"1:b1:71:5", b"6:unseen3:1231:1"]
    expected = [1 + fingerprint64(key) % 50 for key in triples]
    assert out["id.number.at-5.cross_50"].tolist() == expected


def test_a_cross_with_a_missing_column_is_missing(transform):
    rows = [{"id": "b"}, {"value": 1.0}, {"id": "", "value": 1.0}, {"id": "b", "value": math.nan}]
    assert transform(*rows, {})["id.value-2.cross_50"].tolist() == [0] * 5
    two = {"id": "b", "number": 7}
    out = transform(two, {**two, "at": START})
    assert (out["id.number.at-5.cross_50"] > 0).tolist() == [False, True]


def test_a_cross_with_an_empty_column_of_train_has_no_tensor(transform):
    assert "id.nothing.cross_50" not in transform({"id": "b"})


def test_a_history_is_its_last_products_by_the_product_ids_vocabulary(transform):
    """Of the ids in train, b is 1 and a is 2; what only a list of train has is unknown, 3."""
    out = transform(
        {"bought": ["a", "b"]},
        {"bought": ["a", "a", "b", "new", "b"]},
        {"bought": ["only here", "", "a"]},
        {"bought": [""]},
        {},
    )
    expected = [[2, 1, 0], [1, 3, 1], [3, 2, 0], [0, 0, 0], [0, 0, 0]]
    assert out["bought.average_3"].tolist() == expected


def test_a_history_that_is_empty_in_train_has_no_tensor(transform):
    assert "never.average_3" not in transform({"bought": ["a"]})


POSITIONS = [
    # moment, then the position in year, quarter, month, week (from Monday), day
    ((2024, 1, 1, 0), 0, 0, 0, 0, 0),  # a Monday
    ((2024, 3, 1, 12), 60.5 / 366, 60.5 / 91, 0.5 / 31, 4.5 / 7, 0.5),
    ((2024, 2, 29, 6), 59.25 / 366, 59.25 / 91, 28.25 / 29, 3.25 / 7, 0.25),
    ((2023, 12, 31, 18), 364.75 / 365, 91.75 / 92, 30.75 / 31, 6.75 / 7, 0.75),
    ((1969, 7, 20, 20), 200 / 365 + 20 / 24 / 365, (19 + 20 / 24) / 92, (19 + 20 / 24) / 31,
     (6 + 20 / 24) / 7, 20 / 24),
    ((2000, 4, 1, 0), 91 / 366, 0, 0, 5 / 7, 0),
    ((1900, 3, 1, 0), 59 / 365, 59 / 90, 0, 3 / 7, 0),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "position"), [(m, p) for m, *p in POSITIONS])
def test_cycles_are_sin_and_cos_of_the_position_in_utc(transform, moment, position):
    out = transform({"at": micros(*moment)})
    for cycle, share in zip(CYCLES, position, strict=True):
        expected = [[math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)]]
        np.testing.assert_allclose(out[f"at.cyclical_{cycle}"], expected, atol=1e-6, err_msg=cycle)


def test_a_missing_time_is_the_middle_of_the_circle(transform):
    out = transform({"at": START}, {})
    for cycle in CYCLES:
        assert out[f"at.cyclical_{cycle}"][1].tolist() == [0, 0]


def test_every_tensor_is_finite(transform):
    for name, values in transform({}, *TRAIN).items():
        assert np.isfinite(values).all(), name


def test_the_cache_key_ignores_what_transform_does_not_read():
    from pipelines.preprocessing import transform_config

    wider = SPEC.features.buyer[1].replace(dim=64)
    other = SPEC.features.replace(
        name="other",
        description="x",
        buyer=(SPEC.features.buyer[0], *SPEC.features.buyer[2:], wider),
        target="value",
    )
    assert transform_config(SPEC.replace(features=other, uid="f" * 12)) == transform_config(SPEC)
    fewer = SPEC.features.replace(buyer=SPEC.features.buyer[:1])
    assert transform_config(SPEC.replace(features=fewer)) != transform_config(SPEC)


def test_text_can_not_be_normalized():
    import pipelines.tf_environment  # noqa: F401, I001
    import tensorflow as tf

    from pipelines.preprocessing import preprocessing_fn, transform_config

    config = transform_config(
        spec_of(Feature(column="id", data_type="numeric", transforms=("normalize",)))
    )
    with tf.Graph().as_default(), pytest.raises(RunFailure, match='Column "id" holds text'):
        preprocessing_fn({"id": tf.sparse.from_dense([["a"]])}, config)
