"""TFX's statistics and schema as views: figures by hand, and files that nobody can trust."""

import math
import subprocess
import sys

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from engine.errors import InvalidInput
from engine.statistics import (
    MAX_DOMAIN_VALUES,
    MAX_FEATURES,
    MAX_TOP_VALUES,
    Bucket,
    read_statistics,
)
from tests.engine.sample_statistics import SCHEMA, statistics_file


def feature(name, **options):
    found = read_statistics({"train": statistics_file()}, SCHEMA, **options).splits["train"]
    return next(feature for feature in found.features if feature.name == name)


def test_a_text_column_has_its_frequent_values_and_what_is_missing():
    department = feature("department")
    assert (department.type, department.missing_share) == ("text", pytest.approx(0.2))
    assert department.values_per_row == 1
    assert department.categorical.unique == 2
    food, hostile = department.categorical.top_values
    assert (food.value, food.count, food.share) == ("food", 60, 0.75)
    assert hostile.value == "<script>alert(1)</script>␛]0;owned␇<U+202E>"


def test_a_number_has_its_moments_and_both_histograms():
    price = feature("price")
    assert (price.type, price.missing_share) == ("float", 0)
    n = price.numeric
    assert (n.minimum, n.maximum, n.mean, n.median, n.std) == (-1, 3, 1.5, 1, 0.5)
    assert n.zeros_share == 0.25
    assert n.histogram == (Bucket(low=-1, high=1, count=30), Bucket(low=1, high=3, count=70))
    assert n.quantiles == (-1, 1.25, 3)


def test_a_list_column_is_missing_where_a_row_has_no_list():
    basket = feature("basket")
    assert (basket.missing_share, basket.values_per_row) == (0.5, 3)


def test_an_empty_list_counts_as_missing_where_rows_have_one_value():
    """TFX's own sample: every row has a list, 67% of them with a value in it."""
    made = statistics_pb2.DatasetFeatureStatisticsList()
    column = made.datasets.add(num_examples=1000).features.add(name="company", type=2)
    common = column.string_stats.common_stats
    common.num_non_missing, common.tot_num_values, common.max_num_values = 1000, 670, 1
    found = read_statistics({"train": made.SerializeToString()}, None)
    assert found.splits["train"].features[0].missing_share == pytest.approx(0.33)


def test_the_schema_tells_presence_and_domain():
    found = read_statistics({}, SCHEMA, timestamp="at").schema_features
    department, price, at = found  # no column that is deprecated, nor the row key
    assert (department.required, department.domain, department.domain_size) == (
        False,
        ("food", "fuel"),
        2,
    )
    assert (price.type, price.required, price.minimum, price.maximum) == ("float", True, -1, None)
    assert at.type == "time"


def test_the_row_key_says_nothing_and_the_timestamp_is_a_time():
    found = read_statistics({"train": statistics_file("at")}, None, timestamp="at")
    assert [f.name for f in found.splits["train"].features] == ["at", "price", "basket"]
    assert found.splits["train"].features[0].type == "time"


def test_splits_come_in_their_order():
    data = statistics_file()
    assert list(read_statistics({"test": data, "train": data}, None).splits) == ["train", "test"]


@pytest.mark.parametrize("data", [b"", b"\xff" * 99, statistics_file()[:-7], b"{}"])
def test_a_damaged_file_is_told_in_a_sentence(data):
    with pytest.raises(InvalidInput, match=r"The statistics of the train split can't be read"):
        read_statistics({"train": data}, None)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"feature {",
        b"feature { type: EXPLODED }",
        b"feature { struct_domain { " * 5_000,
        b"unknown: 1",
    ],
)
def test_a_damaged_schema_is_told_in_a_sentence(data):
    with pytest.raises(InvalidInput, match="The schema can't be read: the file is damaged"):
        read_statistics({"train": statistics_file()}, data)


def test_lists_are_cut_and_numbers_that_are_none_left_out():
    made = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = made.datasets.add(num_examples=1)
    for i in range(MAX_FEATURES + 5):
        dataset.features.add(name=f"column {i}", type=99)
    number = dataset.features[0].num_stats
    number.mean, number.max, number.min = math.nan, math.inf, -2
    number.histograms.add().buckets.add(low_value=-math.inf, high_value=1, sample_count=1)
    number.common_stats.tot_num_values = 2**64 - 1
    text = dataset.features[1].string_stats
    for _ in range(MAX_TOP_VALUES + 5):
        text.top_values.add(value="x" * 10_000, frequency=-math.inf)
    schema = b'feature { name: "a" string_domain { value: "v"' + b' value: "w"' * 500 + b" } }"
    found = read_statistics({"train": made.SerializeToString()}, schema)
    features = found.splits["train"].features
    assert len(features) == MAX_FEATURES
    first, second = features[0], features[1]
    assert (first.numeric.mean, first.numeric.maximum, first.numeric.minimum) == (None, None, -2)
    assert (first.numeric.histogram, first.missing_share) == ((), 0)
    assert len(second.categorical.top_values) == MAX_TOP_VALUES
    assert {(len(t.value), t.count, t.share) for t in second.categorical.top_values} == {
        (200, 0, 0)
    }
    (limited,) = found.schema_features
    assert (len(limited.domain), limited.domain_size) == (MAX_DOMAIN_VALUES, 501)


def test_reading_them_needs_no_tensorflow():
    code = (
        "import sys; from tests.engine.sample_statistics import *\n"
        "from engine.statistics import read_statistics\n"
        "read_statistics({'train': statistics_file()}, SCHEMA)\n"
        "print([m for m in ('tensorflow', 'tensorflow_data_validation') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"
