"""Whether the names of a definition fit together, and one definition with another.

What depends on the data (whether a column exists, its type) is found at planning.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import cast

from engine.definitions.models import (
    CrossDefinition,
    DatasetDefinition,
    FeatureConfigDefinition,
    FeatureDefinition,
    Filter,
    ModelConfigDefinition,
)
from engine.definitions.names import listed, quoted, suggestion
from engine.definitions.wording import Finding
from engine.spec import ROW_KEY, SPLIT, TRANSFORMS, Dense, Layer

_LONGEST_NAME = 100


def check_name(name: str) -> Iterator[Finding]:
    """Find what makes the name of a definition unusable on a command line."""
    if not name or name != name.strip() or name.startswith("-") or not name.isprintable():
        yield (), "a name must be printable text that starts with neither a blank nor a dash"
    elif len(name) > _LONGEST_NAME:
        yield (), f"a name has at most {_LONGEST_NAME} characters"


def check_dataset(dataset: DatasetDefinition) -> Iterator[Finding]:
    """Find names of tables and columns that don't exist, and conditions without a meaning."""
    tables = dataset.tables
    if not tables:
        yield ("tables",), without_tables(dataset.bigquery and dataset.bigquery.model_dump())
    elif dataset.primary not in tables:
        yield ("primary",), f"unknown table. {suggestion(dataset.primary, tables)}"
    for name, path in tables.items():
        if not name or "." in name or not name.isprintable():
            yield ("tables", name), "the name of a table must be printable text without a dot"
        if not path or not path.isprintable():
            yield ("tables", name), "must be the path of a file"
        elif "::" in path and not all(path.rpartition("::")[::2]):
            yield ("tables", name), "must be a database and a table, as shop.sqlite::orders"
    yield from _check_joins(dataset)
    yield from _check_columns(dataset)
    yield from _check_roles(dataset)
    yield from _check_histories(dataset)
    yield from _check_bigquery(dataset)
    for i, condition in enumerate(dataset.filters):
        for path, reason in _check_filter(condition, dataset):
            yield ("filters", i, *path), reason


def without_tables(bigquery: object) -> str:
    """Return what is wrong with a dataset that names no files.

    Args:
        bigquery: as written, of any form; None where it isn't.
    """
    if bigquery is None:
        return "names no table"
    found = cast("Mapping[str, object]", bigquery) if isinstance(bigquery, Mapping) else {}
    project, dataset = found.get("project") or "PROJECT", found.get("dataset") or "DATASET"
    return (
        "names no file: a run needs copies of the tables in BigQuery on this machine as well."
        f" `towerlab init --bigquery {project}.{dataset}` makes them, and a dataset with both."
    )


def _check_joins(dataset: DatasetDefinition) -> Iterator[Finding]:
    joined = {dataset.primary}
    for i, join in enumerate(dataset.joins):
        at = ("joins", i)
        if join.table not in dataset.tables:
            yield (*at, "table"), f"unknown table. {suggestion(join.table, dataset.tables)}"
        elif join.table in joined:
            yield (*at, "table"), f"table {quoted(join.table)} is used twice"
        if not join.on:
            yield (*at, "on"), "needs at least one pair of columns"
        for left in join.on:
            table = table_of(left, dataset.tables)
            if table is not None and table not in joined:
                yield (*at, "on", left), f"table {quoted(table)} is not joined before this"
        joined.add(join.table)


def table_of(reference: str, tables: Iterable[str]) -> str | None:
    """Return the table that a "table.column" names; None for a plain "column"."""
    table, dot, _ = reference.partition(".")
    return table if dot and table in set(tables) else None


def _check_columns(dataset: DatasetDefinition) -> Iterator[Finding]:
    used = {dataset.primary, *(join.table for join in dataset.joins)}
    folded = Counter(alias.casefold() for alias in dataset.columns)
    for alias, reference in dataset.columns.items():
        at = ("columns", alias)
        yield from ((at, reason) for reason in alias_problems(alias))
        if folded[alias.casefold()] > 1:
            yield at, "two aliases differ only in upper and lower case"
        table, dot, _ = reference.partition(".")
        if dot and table in dataset.tables and table not in used:
            yield at, f"table {quoted(table)} is neither primary nor joined"
        elif dot and table not in dataset.tables:
            found = suggestion(table, dataset.tables)
            if found.startswith("Did"):
                yield at, f"unknown table {quoted(table)}. {found}"


def alias_problems(alias: str) -> Iterator[str]:
    """Say what makes a column's name unusable in the examples."""
    if not alias or not alias.isprintable() or len(alias) > _LONGEST_NAME:
        yield f"the name of a column must be printable text of 1 to {_LONGEST_NAME} characters"
    elif alias.casefold() in {ROW_KEY, SPLIT}:
        yield f"{alias.casefold()} is a reserved name"


def _check_roles(dataset: DatasetDefinition) -> Iterator[Finding]:
    roles = dataset.roles
    named: list[tuple[tuple[str | int, ...], str | None]] = [
        (("roles", "buyer"), roles.buyer),
        (("roles", "product"), roles.product),
        (("roles", "timestamp"), roles.timestamp),
        (("roles", "revenue"), roles.revenue),
        *((("roles", "row_key", i), column) for i, column in enumerate(roles.row_key)),
    ]
    for path, column in named:
        if column is not None and dataset.columns and column not in dataset.columns:
            yield path, _unknown_column(column, dataset.columns)
    if roles.buyer == roles.product:
        yield ("roles", "product"), "buyer and product must be two columns"


def _check_histories(dataset: DatasetDefinition) -> Iterator[Finding]:
    folded = {alias.casefold() for alias in dataset.columns}
    for alias, history in dataset.histories.items():
        at = ("histories", alias)
        yield from ((at, reason) for reason in alias_problems(alias))
        if alias.casefold() in folded:
            yield at, "there is a column of this name, too"
        folded.add(alias.casefold())
        if dataset.columns and history.column not in dataset.columns:
            yield (*at, "column"), _unknown_column(history.column, dataset.columns)
        if dataset.roles.timestamp is None:
            yield at, "needs roles.timestamp: what is earlier depends on it"


def _check_bigquery(dataset: DatasetDefinition) -> Iterator[Finding]:
    source = dataset.bigquery
    if source is None:
        return
    for key, value in (("project", source.project), ("dataset", source.dataset)):
        if not value or not value.isprintable() or "`" in value or "." in value:
            yield ("bigquery", key), "must be a name without dots and backticks"
    for name, table in source.tables.items():
        at = ("bigquery", "tables", name)
        if name not in dataset.tables:
            yield at, f"unknown table. {suggestion(name, dataset.tables)}"
        parts = table.split(".")
        if len(parts) not in {1, 3} or not all(parts) or "`" in table or not table.isprintable():
            yield at, 'must be "table" or "project.dataset.table"'


def _check_filter(condition: Filter, dataset: DatasetDefinition) -> Iterator[Finding]:
    if condition.of is not None:
        yield from _check_aggregate_filter(condition, dataset)
        return
    of_groups = ("top_percent", "min_count", "min_spend")
    for key in (key for key in of_groups if getattr(condition, key) is not None):
        yield (key,), 'goes with of = "products" or of = "customers"'
        return
    if not condition.column:
        yield ("column",), "is missing"
    elif dataset.columns and condition.column not in dataset.columns:
        yield ("column",), _unknown_column(condition.column, dataset.columns)
    yield from _check_column_filter(condition)


def _check_aggregate_filter(condition: Filter, dataset: DatasetDefinition) -> Iterator[Finding]:
    given = condition.model_dump(by_alias=True, exclude_none=True, exclude={"of"})
    if not condition.column:
        del given["column"]
    kinds = [key for key in ("top_percent", "min_count", "min_spend") if key in given]
    for key in given:
        if key not in kinds:
            yield (key,), f"doesn't go with of = {quoted(condition.of)}"
    if len(kinds) != 1:
        yield (), "a filter on products or customers is one of top_percent, min_count, min_spend"
    for key in kinds:
        if key != "min_count" and dataset.roles.revenue is None:
            yield (key,), "needs roles.revenue: the column that is summed"


def _check_period(condition: Filter) -> Iterator[Finding]:
    try:
        start, end = map(datetime.fromisoformat, (condition.start or "", condition.end or ""))
        reversed_ = start.replace(tzinfo=start.tzinfo or UTC) > end.replace(
            tzinfo=end.tzinfo or UTC
        )
    except ValueError:
        return  # one of them isn't given, or is told for itself
    if reversed_:
        yield ("end",), f"is before start ({condition.start})"


def _check_column_filter(condition: Filter) -> Iterator[Finding]:
    kinds = {
        "equals": condition.equals is not None,
        "in": condition.one_of is not None,
        "min": condition.min is not None or condition.max is not None,
        "last_days": condition.last_days is not None,
        "start": condition.start is not None or condition.end is not None,
    }
    if sum(kinds.values()) != 1:
        yield (), "a filter is one of equals, in, min and/or max, last_days, start and/or end"
    if condition.one_of == ():
        yield ("in",), "needs at least one value"
    low, high = condition.min, condition.max
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield ("max",), f"is below min ({low})"
    for key, value in (("equals", condition.equals), ("min", low), ("max", high)):
        if isinstance(value, str) and "\0" in value:
            yield (key,), "holds a NUL character"
    for i, value in enumerate(condition.one_of or ()):
        if isinstance(value, str) and "\0" in value:
            yield ("in", i), "holds a NUL character"
    times = {key: getattr(condition, key) for key in ("start", "end")}
    yield from _check_period(condition)
    for key, text in times.items():
        if text is not None and not _is_time(text):
            yield (key,), 'must be a date or a time, as 2024-12-31 or "2024-12-31 18:00"'


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_features(features: FeatureConfigDefinition) -> Iterator[Finding]:
    """Find towers without exactly one primary, and transforms that a data type doesn't take."""
    for tower in ("buyer", "product"):
        columns: tuple[FeatureDefinition, ...] = getattr(features, tower)
        primaries = [i for i, f in enumerate(columns) if f.primary]
        if not primaries:
            yield (tower,), f"the {tower} tower needs one feature with primary = true"
        for i in primaries[1:]:
            yield (tower, i, "primary"), f"the {tower} tower has two primary features"
        seen: set[str] = set()
        for i, feature in enumerate(columns):
            if feature.column in seen:
                yield (tower, i, "column"), f"{quoted(feature.column)} is in this tower twice"
            seen.add(feature.column)
            for key, reason in _check_feature(feature):
                yield (tower, i, key), reason
        crosses: tuple[CrossDefinition, ...] = getattr(features, f"{tower}_crosses")
        for i, cross in enumerate(crosses):
            at = (f"{tower}_crosses", i)
            if cross.columns in [other.columns for other in crosses[:i]]:
                yield (*at, "columns"), "this cross is in this tower twice"
            for path, reason in _check_cross(cross, {f.column: f for f in columns}):
                yield (*at, *path), reason


def _check_feature(feature: FeatureDefinition) -> Iterator[tuple[str, str]]:
    if feature.primary and feature.data_type not in {None, "text"}:
        yield "data_type", "a primary feature is an id and must be text"
    if feature.max_length is not None and feature.data_type not in {None, "history"}:
        yield "max_length", "goes with histories"
    if feature.transforms is None:
        return
    if not feature.transforms:
        yield "transforms", "needs at least one transform"
    if len(set(feature.transforms)) < len(feature.transforms):
        yield "transforms", "has a transform twice"
    allowed = None if feature.data_type is None else TRANSFORMS[feature.data_type]
    if allowed and (wrong := [t for t in feature.transforms if t not in allowed]):
        yield "transforms", f"{feature.data_type} takes {listed(allowed)}, not {listed(wrong)}"
    if feature.buckets is not None and "bucketize" not in feature.transforms:
        yield "buckets", "goes with the transform bucketize"
    embeddings = {"embed", "bucketize", "average"}
    if feature.dim is not None and not embeddings & set(feature.transforms):
        yield "dim", "goes with the transforms embed and bucketize"


def _check_cross(
    cross: CrossDefinition, features: Mapping[str, FeatureDefinition]
) -> Iterator[Finding]:
    if not len(set(cross.columns)) == len(cross.columns) in {2, 3}:
        yield ("columns",), "a cross joins 2 or 3 different columns"
    for i, column in enumerate(cross.columns):
        if column not in features:
            found = suggestion(column, features)
            yield ("columns", i), f"{quoted(column)} is no feature of this tower. {found}"
        elif features[column].data_type == "history":
            yield ("columns", i), f"{quoted(column)} is a history, which can't be crossed"
    for column in cross.crossing_buckets:
        at = ("crossing_buckets", column)
        if column not in cross.columns:
            yield at, f"{quoted(column)} is not among the columns of the cross"
        elif column in features and features[column].data_type == "text":
            yield at, "goes with numeric and temporal columns; text is crossed as it is"


def check_features_against(
    features: FeatureConfigDefinition, datasets: Mapping[str, DatasetDefinition]
) -> Iterator[Finding]:
    """Find columns that the feature config's dataset doesn't list."""
    dataset = datasets.get(features.dataset)
    if dataset is None:
        return
    for (_, _, *at), feature in features.by_path():
        history, product = dataset.histories.get(feature.column), dataset.roles.product
        if history is not None and history.column != product:
            yield (
                (*at, "column"),
                f"{quoted(feature.column)} lists values of {quoted(history.column)}; a history "
                f"that is a feature lists products, {quoted(product)}",
            )
    if not dataset.columns:
        return
    known = (*dataset.columns, *dataset.histories)
    target = features.target_column
    if target is not None and target not in dataset.columns:
        at = ("target",) if isinstance(features.target, str) else ("target", "column")
        yield at, _unknown_column(target, dataset.columns)
    for tower in ("buyer", "product"):
        columns: tuple[FeatureDefinition, ...] = getattr(features, tower)
        for i, feature in enumerate(columns):
            if feature.column not in known:
                yield (tower, i, "column"), _unknown_column(feature.column, known)


def check_model(model: ModelConfigDefinition) -> Iterator[Finding]:
    """Find a model with both a preset and layers, or with neither, and settings of another type."""
    yield from _check_type(model)
    if model.row_wise and model.optimizer not in ("adam", "adamw"):
        yield ("row_wise",), f"goes with adam and adamw, not with {model.optimizer}"
    towers = {"buyer_tower": model.buyer_tower, "product_tower": model.product_tower}
    given = [key for key, layers in towers.items() if layers is not None]
    if model.combine == "sum":
        yield from _check_sum(model)
    elif model.preset is not None:
        for key in given:
            yield (key,), "a preset brings its layers: give either preset or both towers"
        return
    elif not given:
        yield (), "needs a preset, or buyer_tower and product_tower"
        return
    else:
        for key in towers:
            if key not in given:
                yield (key,), "is missing: without a preset both towers need layers"
    if model.output_dim is None:
        yield ("output_dim",), "is missing: it is optional with a preset only"


def _check_sum(model: ModelConfigDefinition) -> Iterator[Finding]:
    if model.preset is not None:
        yield ("preset",), 'a preset brings dense layers, combine = "sum" takes none'
    for key in ("buyer_tower", "product_tower"):
        layers: tuple[Layer, ...] | None = getattr(model, key)
        for i, layer in enumerate(layers or ()):
            if isinstance(layer, Dense):
                yield (key, i), 'combine = "sum" takes no dense layers: its sum is the embedding'


def _check_type(model: ModelConfigDefinition) -> Iterator[Finding]:
    """Find settings that the model's type has no use for."""
    used = {
        "retrieval": model.type != "ranking",
        "rating": model.type != "retrieval",
        "retrieval_weight": model.type == "multitask",
        "ranking_weight": model.type == "multitask",
    }
    for key in used:
        if key in model.model_fields_set and not used[key]:
            yield (key,), f"means nothing to a {model.type} model"
    if model.retrieval_weight == 0 and model.ranking_weight == 0:
        yield ("ranking_weight",), "retrieval_weight and ranking_weight must not both be 0"
    rating = model.rating
    if rating.preset is not None and rating.layers is not None:
        yield ("rating", "layers"), "a preset brings its layers: give either preset or layers"
    if rating.preset == "none" and rating.layers is None and not rating.dot_product:
        yield ("rating", "dot_product"), "must be true where there is no head"


def _unknown_column(column: str, columns: Iterable[str]) -> str:
    return f"unknown column {quoted(column)}. {suggestion(column, columns)}"
