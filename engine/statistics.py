"""What TFDV measured of a run's examples, and the schema inferred from it, as frozen views.

Read straight from TFX's files (`FeatureStats.pb`, `schema.pbtxt`), without TensorFlow. The files
are foreign: lists are cut, texts shortened, and numbers that are not finite left out.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from engine.errors import InvalidInput
from engine.spec import ROW_KEY, SPLITS, Frozen, SplitName
from engine.text import safe_line

MAX_FEATURES = 1_000
MAX_BUCKETS = 100
MAX_TOP_VALUES = 50
MAX_DOMAIN_VALUES = 100
_NAME_LIMIT = 200
"""Characters of a name or a value."""

_Message = Any
"""A protobuf message: the library carries no types."""

FeatureType = Literal["int", "float", "text", "bytes", "time", "struct"]
"""`time`: an event's time in epoch microseconds."""
_TYPES: dict[int, FeatureType] = dict(enumerate(("int", "float", "text", "bytes", "struct")))
_SCHEMA_TYPES: dict[int, FeatureType] = dict(enumerate(("text", "int", "float", "struct"), 1))
"""By the numbers of TFDV's types."""


class Bucket(Frozen):
    """How many values (an estimate) are in [low, high)."""

    low: float
    high: float
    count: float


class TopValue(Frozen):
    """A frequent value, how often it occurs, and its share of the set values."""

    value: str
    count: float
    share: float


class NumericSummary(Frozen):
    """Moments and distribution of a numeric feature; None where TFDV gives no finite number.

    Attributes:
        zeros_share: of the set values.
        histogram: buckets of equal width.
        quantiles: edges of buckets of equal counts, the minimum first.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    median: float | None
    zeros_share: float
    histogram: tuple[Bucket, ...]
    quantiles: tuple[float, ...]


class CategoricalSummary(Frozen):
    """Distinct values of a text feature, the most frequent ones, and the mean length."""

    unique: int
    top_values: tuple[TopValue, ...]
    average_length: float | None


class FeatureStatistics(Frozen):
    """One column of the examples; `missing_share` is of the rows."""

    name: str
    type: FeatureType
    missing_share: float
    values_per_row: float | None
    """Mean over the rows that have any; 1 but for lists."""
    numeric: NumericSummary | None = None
    categorical: CategoricalSummary | None = None


class SplitStatistics(Frozen):
    """The statistics of one split."""

    rows: int
    features: tuple[FeatureStatistics, ...]


class SchemaFeature(Frozen):
    """What the schema says of a column.

    Attributes:
        required: whether every row must have a value.
        domain: the values that it may have, at most `MAX_DOMAIN_VALUES` of them.
        domain_size: how many there are; None where any value will do.
        minimum: the least number that it may have.
        maximum: the greatest.
    """

    name: str
    type: FeatureType | None
    required: bool
    domain: tuple[str, ...] = ()
    domain_size: int | None = None
    minimum: float | None = None
    maximum: float | None = None


class DatasetStatistics(Frozen):
    """The statistics of the splits that were measured, and the schema inferred from train."""

    splits: dict[SplitName, SplitStatistics]
    schema_features: tuple[SchemaFeature, ...]


def read_statistics(
    files: Mapping[SplitName, bytes], schema: bytes | None, *, timestamp: str | None = None
) -> DatasetStatistics:
    """Return the views of TFX's files; the row key, which says nothing, is left out.

    Args:
        files: `FeatureStats.pb` by split.
        schema: `schema.pbtxt`, where there is one.
        timestamp: the column that holds the event's time.

    Raises:
        InvalidInput: a file is damaged.
    """
    found: dict[SplitName, SplitStatistics] = {
        split: _split(files[split], split, timestamp) for split in SPLITS if split in files
    }
    return DatasetStatistics(
        splits=found, schema_features=_schema(schema, timestamp) if schema is not None else ()
    )


def _split(data: bytes, split: SplitName, timestamp: str | None) -> SplitStatistics:
    from google.protobuf.message import DecodeError
    from tensorflow_metadata.proto.v0 import statistics_pb2

    messages: _Message = statistics_pb2
    try:
        datasets = messages.DatasetFeatureStatisticsList.FromString(data).datasets
    except DecodeError as error:
        raise _damaged(f"statistics of the {split} split") from error
    if not datasets:
        raise _damaged(f"statistics of the {split} split")
    rows = int(datasets[0].num_examples)
    features = (
        _feature(feature, rows, timestamp) for feature in datasets[0].features[:MAX_FEATURES]
    )
    return SplitStatistics(rows=rows, features=tuple(f for f in features if f.name != ROW_KEY))


def _feature(found: _Message, rows: int, timestamp: str | None) -> FeatureStatistics:
    name = found.name or ".".join(found.path.step)
    kind = found.WhichOneof("stats")
    common = getattr(found, kind).common_stats if kind else found.num_stats.common_stats
    per_row = common.tot_num_values / common.num_non_missing if common.num_non_missing else None
    return FeatureStatistics(
        name=safe_line(name, limit=_NAME_LIMIT),
        type="time" if name == timestamp else _TYPES.get(found.type, "bytes"),
        missing_share=_missing_share(common, rows),
        values_per_row=_finite(per_row),
        numeric=_numeric(found.num_stats) if kind == "num_stats" else None,
        categorical=_categorical(found.string_stats) if kind == "string_stats" else None,
    )


def _missing_share(common: _Message, rows: int) -> float:
    """Return the share of rows without a value; an empty list counts as none where it can."""
    one_each = common.max_num_values <= 1
    return 1 - _share(common.tot_num_values if one_each else common.num_non_missing, rows)


def _numeric(found: _Message) -> NumericSummary:
    standard = next((h for h in found.histograms if h.type == h.STANDARD), None)
    quantiles = next((h for h in found.histograms if h.type == h.QUANTILES), None)
    return NumericSummary(
        minimum=_finite(found.min),
        maximum=_finite(found.max),
        mean=_finite(found.mean),
        std=_finite(found.std_dev),
        median=_finite(found.median),
        zeros_share=_share(found.num_zeros, found.common_stats.tot_num_values),
        histogram=_buckets(standard.buckets) if standard else (),
        quantiles=_edges(quantiles.buckets) if quantiles else (),
    )


def _buckets(found: Iterable[Any]) -> tuple[Bucket, ...]:
    shown: list[Bucket] = []
    for bucket in list(found)[:MAX_BUCKETS]:
        low, high = _finite(bucket.low_value), _finite(bucket.high_value)
        count = _finite(bucket.sample_count)
        if low is not None and high is not None and count is not None:
            shown.append(Bucket(low=low, high=high, count=max(count, 0.0)))
    return tuple(shown)


def _edges(found: Iterable[Any]) -> tuple[float, ...]:
    buckets = _buckets(found)
    return (buckets[0].low, *(bucket.high for bucket in buckets)) if buckets else ()


def _categorical(found: _Message) -> CategoricalSummary:
    values = found.common_stats.tot_num_values
    return CategoricalSummary(
        unique=int(found.unique),
        top_values=tuple(
            TopValue(
                value=safe_line(top.value, limit=_NAME_LIMIT),
                count=max(_finite(top.frequency) or 0.0, 0.0),
                share=_share(top.frequency, values),
            )
            for top in found.top_values[:MAX_TOP_VALUES]
        ),
        average_length=_finite(found.avg_length),
    )


def _schema(data: bytes, timestamp: str | None) -> tuple[SchemaFeature, ...]:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    messages: _Message = schema_pb2
    try:
        schema: _Message = text_format.Parse(data, messages.Schema())
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged("schema") from error
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    features = (
        _schema_feature(f, domains, timestamp)
        for f in schema.feature[:MAX_FEATURES]
        if not f.deprecated and f.lifecycle_stage != messages.DEPRECATED
    )
    return tuple(feature for feature in features if feature.name != ROW_KEY)


def _schema_feature(
    found: _Message, domains: Mapping[str, list[str]], timestamp: str | None
) -> SchemaFeature:
    kind = found.WhichOneof("domain_info")
    values: list[str] | None = None
    if kind == "domain":
        values = domains.get(found.domain)
    elif kind == "string_domain":
        values = list(found.string_domain.value)
    limits = getattr(found, kind) if kind in ("int_domain", "float_domain") else None
    return SchemaFeature(
        name=safe_line(found.name, limit=_NAME_LIMIT),
        type="time" if found.name == timestamp else _SCHEMA_TYPES.get(found.type),
        required=found.presence.min_fraction >= 1,
        domain=tuple(
            safe_line(value, limit=_NAME_LIMIT) for value in (values or [])[:MAX_DOMAIN_VALUES]
        ),
        domain_size=None if values is None else len(values),
        minimum=_finite(limits.min) if limits and limits.HasField("min") else None,
        maximum=_finite(limits.max) if limits and limits.HasField("max") else None,
    )


def _share(part: float, whole: float) -> float:
    """Return a share, whatever the file says, between 0 and 1."""
    share = part / whole if whole else 0.0
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _damaged(what: str) -> InvalidInput:
    return InvalidInput(
        f"The {what} can't be read: the file is damaged.", hint="Rerun the experiment."
    )
