"""TFX's statistics and schema files, written by its own messages with figures to compare."""

from tensorflow_metadata.proto.v0 import statistics_pb2

HOSTILE = "<script>alert(1)</script>\x1b]0;owned\x07\u202e"


def statistics_file(name: str = "department") -> bytes:
    """Return 100 rows: a text column, a price, a list column and the row key.

    The text column is set in 80 rows, with `food` 60 times and a hostile value 20 times.
    """
    made = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = made.datasets.add(num_examples=100)
    text = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    text.path.step.append(name)
    _common(text.string_stats.common_stats, present=80, values=80, at_most=1)
    text.string_stats.unique = 2
    text.string_stats.avg_length = 4
    text.string_stats.top_values.add(value="food", frequency=60)
    text.string_stats.top_values.add(value=HOSTILE, frequency=20)
    price = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    price.path.step.append("price")
    _common(price.num_stats.common_stats, present=100, values=100, at_most=1)
    for field, value in (("min", -1), ("max", 3), ("mean", 1.5), ("median", 1), ("std_dev", 0.5)):
        setattr(price.num_stats, field, value)
    price.num_stats.num_zeros = 25
    standard, quantiles = price.num_stats.histograms.add(), price.num_stats.histograms.add()
    standard.buckets.add(low_value=-1, high_value=1, sample_count=30)
    standard.buckets.add(low_value=1, high_value=3, sample_count=70)
    quantiles.type = statistics_pb2.Histogram.QUANTILES
    quantiles.buckets.add(low_value=-1, high_value=1.25, sample_count=50)
    quantiles.buckets.add(low_value=1.25, high_value=3, sample_count=50)
    basket = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING, name="basket")
    _common(basket.string_stats.common_stats, present=50, values=150, at_most=4)
    key = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.INT, name="row_key")
    _common(key.num_stats.common_stats, present=100, values=100, at_most=1)
    return made.SerializeToString()


SCHEMA = b"""
feature { name: "department" type: BYTES domain: "department" presence { min_count: 1 } }
feature { name: "price" type: FLOAT float_domain { min: -1 } presence { min_fraction: 1.0 } }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED }
feature { name: "row_key" type: INT }
feature { name: "at" type: INT }
string_domain { name: "department" value: "food" value: "fuel" }
"""


def _common(stats: object, *, present: int, values: int, at_most: int) -> None:
    stats.num_non_missing = present
    stats.num_missing = 100 - present
    stats.tot_num_values = values
    stats.max_num_values = at_most
