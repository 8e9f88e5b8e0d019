"""From a request to a resolved `ExperimentSpec`: every check first, nothing left open after."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.definitions.misfits import EmptyTarget, placed
from engine.definitions.names import counted, key_text, listed, quoted
from engine.errors import InvalidInput
from engine.spec import (
    ExamplesQuery,
    ExperimentSpec,
    FeatureConfig,
    Frozen,
    ModelConfig,
    Split,
    TrainingParams,
)
from engine.spec.run_folder import Rows

if TYPE_CHECKING:
    from engine.definitions import (
        DatasetDefinition,
        Definitions,
        FeatureConfigDefinition,
        ModelConfigDefinition,
    )
    from engine.definitions.snapshot import Kind
    from engine.parameters import Chosen
    from engine.query.measuring import DataFacts, JoinGrowth
    from engine.query.rows import DatasetRows

_UNKNOWN_BUYERS_TOLD = 0.3
_COLD_PRODUCTS_TOLD = 0.3
_TEST_ROWS_TOLD = 400
"""With fewer test rows, the 95% interval of a share is wider than about ±0.05."""
_EARLIEST_USUAL_MICROSECONDS = 10 * 365 * 86_400_000_000


class QuickTestRequest(Frozen):
    """What somebody asked for; None means: decide from the model config or the data."""

    feature_config: str
    model_config_name: str
    dataset: str | None = None
    """Checked against the feature config's; None takes that."""
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    sample_percent: float | None = None
    sample_by: Literal["buyer", "row"] | None = None
    """None samples rows for ranking, buyers for retrieval and multitask."""
    epochs: int = 3
    batch_size: int | None = None
    learning_rate: float | None = None
    split: Literal["random", "time-holdout", "strict-time"] = "random"
    holdout_days: int | None = None
    train_days: int | None = None
    val_days: int | None = None
    test_days: int | None = None
    hardware: Literal["small", "medium", "large"] | None = None
    backend: Literal["local", "vertex"] = "local"
    seed: int = 0
    early_stopping: int | None = None
    """Epochs without a better value after which training ends; None trains all epochs."""
    early_stopping_on: Literal["val_loss", "primary"] = "val_loss"
    deterministic: bool = False
    upload_rows: bool = False
    """Send the sampled rows to Cloud Storage where the dataset isn't in BigQuery; `vertex` only."""


class Plan(Frozen):
    """A request that passed every check.

    Attributes:
        definition_hashes: content hashes of dataset, feature config and model config as written.
        rows: rows of each split.
        warnings: sentences worth telling before the run.
        source_note: what is to be told of where the rows come from; empty when nothing is.
    """

    request: QuickTestRequest
    dataset: str
    examples: ExamplesQuery
    features: FeatureConfig
    model: ModelConfig
    params: TrainingParams
    definition_hashes: dict[Literal["dataset", "feature_config", "model_config"], str]
    definitions: dict[Literal["dataset", "feature_config", "model_config"], dict[str, object]]
    """The three definitions as written, kept with the experiment."""
    rows: Rows
    warnings: tuple[str, ...] = ()
    source_note: str = ""

    def spec(self, uid: str, number: int) -> ExperimentSpec:
        """Return the contract for the pipelines."""
        return ExperimentSpec(
            uid=uid,
            number=number,
            dataset=self.dataset,
            examples=self.examples,
            features=self.features,
            model=self.model,
            params=self.params,
            backend=self.request.backend,
        )


def plan_quick_test(request: QuickTestRequest, definitions: "Definitions", *, root: Path) -> Plan:
    """Check a request against definitions and data, and resolve what it leaves open.

    Reads the data once (about a second for 1.5 million rows); stores nothing.

    Args:
        request: what somebody asked for.
        definitions: the workspace's, or those that an experiment has kept.
        root: where relative paths of data files start.

    Raises:
        NotFound: a name that isn't defined.
        InvalidInput: a definition, a parameter or the data is wrong.
    """
    # DuckDB and sqlglot take 0.2 s to import; listing experiments needs neither.
    from engine.parameters import check_request

    check_request(request)
    dataset, features, model = _definitions_of(request, definitions)
    _check_source(request, dataset)
    _check_target(features, model.resolve())
    with placed(definitions):
        try:
            return _plan(request, definitions, features, root)
        except EmptyTarget as empty:
            if model.type != "retrieval":
                raise
            needless = f"{empty.message} Retrieval learns without it."
    untargeted = features.model_copy(update={"target": None})
    with placed(definitions):
        return _plan(request, definitions, untargeted, root, told=(needless,))


def _plan(
    request: QuickTestRequest,
    definitions: "Definitions",
    features: "FeatureConfigDefinition",
    root: Path,
    *,
    told: tuple[str, ...] = (),
) -> Plan:
    """Return the plan of a request that is sound.

    Args:
        request: what somebody asked for.
        definitions: where its definitions are; the experiment keeps them as they are written.
        features: the feature config as far as the model reads it.
        root: where relative paths of data files start.
        told: warnings that come first.

    Raises:
        InvalidInput: a definition, a parameter or the data is wrong.
    """
    from engine.parameters import choose_selection, training_params
    from engine.query.bigquery import bigquery_rows
    from engine.query.connection import fetch_values, open_duckdb
    from engine.query.examples import examples_query
    from engine.query.features import (
        check_labels,
        check_primaries,
        check_targets,
        measure_features,
        needed_columns,
    )
    from engine.query.measuring import repeating_joins
    from engine.query.preparation import prepare_rows

    dataset, written, model = _definitions_of(request, definitions)
    resolved_model = model.resolve()
    with open_duckdb() as connection:
        prepared = prepare_rows(connection, dataset, features, root)
        rows = prepared.rows
        check_primaries(dataset, features)
        measurement, resolved_features = measure_features(connection, rows, features)
        rating = resolved_model.rating
        target = features.target_column
        if target and rating and rating.loss == "binary_crossentropy":
            check_labels(features, measurement.target_range(target))
        sample_by = request.sample_by or ("row" if resolved_model.type == "ranking" else "buyer")
        chosen = choose_selection(request, rows, measurement, sample_by=sample_by)
        if target and rating:
            check_targets(features, measurement.rows_with_target(chosen.selection))
        cold = measurement.cold_product_rows(chosen.selection)
        repeating = repeating_joins(connection, rows)
        read = rows
        if request.backend == "vertex" and dataset.bigquery is not None:
            read = bigquery_rows(rows, features, partial(fetch_values, connection))
    params, warnings = training_params(request, resolved_model, chosen)
    aliases = needed_columns(rows, features)
    return Plan(
        request=request,
        dataset=dataset.name,
        examples=examples_query(read, aliases, chosen.selection).replace(
            fingerprint=prepared.fingerprint, files=prepared.files if read is rows else ()
        ),
        features=resolved_model.fitted(resolved_features),
        model=resolved_model,
        params=params,
        definition_hashes={
            "dataset": dataset.hash,
            "feature_config": written.hash,
            "model_config": model.hash,
        },
        definitions={
            "dataset": dataset.as_written(),
            "feature_config": written.as_written(),
            "model_config": model.as_written(),
        },
        rows=Rows(**chosen.facts.rows),
        warnings=(
            *_stale(request, features.dataset, definitions),
            *told,
            *_data_warnings(rows, measurement.facts, repeating),
            *_column_warnings(features, measurement.facts),
            *(_target_warnings(target, features, measurement.facts) if target and rating else ()),
            *_split_warnings(chosen, cold),
            *leak_warnings(params.split, resolved_features),
            *_list_warnings(dataset, resolved_features),
            *warnings,
        ),
    )


def preview_features(name: str, definitions: "Definitions", *, root: Path) -> FeatureConfig:
    """Return a feature config as a run would use it; see `measured_features`."""
    return measured_features(name, definitions, root=root)[0]


def measured_features(
    name: str, definitions: "Definitions", *, root: Path
) -> "tuple[FeatureConfig, DataFacts]":
    """Return a feature config with dimensions by cardinality, and what was counted for it.

    Raises:
        NotFound: a name that isn't defined.
        InvalidInput: a definition or the data is wrong.
    """
    from engine.query.connection import open_duckdb
    from engine.query.features import check_primaries, measure_features
    from engine.query.preparation import prepare_rows

    features = definitions.feature_config(name)
    dataset = definitions.dataset(features.dataset)
    with placed(definitions), open_duckdb() as connection:
        rows = prepare_rows(connection, dataset, features, root).rows
        check_primaries(dataset, features)
        measurement, resolved = measure_features(connection, rows, features)
        return resolved, measurement.facts


def _definitions_of(
    request: QuickTestRequest, definitions: "Definitions"
) -> "tuple[DatasetDefinition, FeatureConfigDefinition, ModelConfigDefinition]":
    features = definitions.feature_config(request.feature_config)
    if request.dataset is not None and request.dataset != features.dataset:
        definitions.dataset(request.dataset)
        fitting = [f.name for f in definitions.features.values() if f.dataset == request.dataset]
        raise InvalidInput(
            f"Feature config {quoted(features.name)} belongs to dataset "
            f"{quoted(features.dataset)}, not to {quoted(request.dataset)}.",
            hint=f"Of {quoted(request.dataset)} there {'are' if len(fitting) > 1 else 'is'} "
            f"{listed(map(quoted, fitting)) or 'none'}.",
        )
    model = definitions.model_config(request.model_config_name)
    return definitions.dataset(features.dataset), features, model


def _check_source(request: QuickTestRequest, dataset: "DatasetDefinition") -> None:
    if request.backend == "vertex" and dataset.bigquery is None and not request.upload_rows:
        raise InvalidInput(
            f"Dataset {quoted(dataset.name)} has no BigQuery source, which Vertex AI would read.",
            hint=f"Add [datasets.{dataset.name}.bigquery] with its project and dataset, or send "
            "the rows: --upload-rows.",
        )


def _check_target(features: "FeatureConfigDefinition", model: ModelConfig) -> None:
    if model.type != "retrieval" and features.target is None:
        raise InvalidInput(
            f"Model config {quoted(model.name)} is for {model.type}, but feature config "
            f"{quoted(features.name)} has no target.",
            hint="Choose a feature config with a target, or a retrieval model.",
        )


def _stale(request: QuickTestRequest, dataset: str, definitions: "Definitions") -> Iterator[str]:
    used: list[tuple[Kind, str]] = [
        ("datasets", dataset),
        ("features", request.feature_config),
        ("models", request.model_config_name),
    ]
    for kind, name in used:
        place = definitions.places.get((kind, name))
        of_file = [p for p in definitions.problems if not p.key and place and p.file == place.file]
        for problem in (*definitions.problems_of(kind, name), *of_file)[:1]:
            yield f"The last valid version of {quoted(name)} is used: {problem}"


def _data_warnings(
    rows: "DatasetRows", facts: "DataFacts", repeating: "list[JoinGrowth]"
) -> Iterator[str]:
    if facts.left_out:
        yield facts.left_out
    if facts.without_time:
        yield f"{facts.without_time:,} of {facts.rows:,} rows have no timestamp."
    yield from map(str, repeating)
    if facts.newest is not None and facts.newest < _EARLIEST_USUAL_MICROSECONDS:
        newest = datetime.fromtimestamp(facts.newest / 1e6, tz=UTC)
        yield (
            f"The newest timestamp is {newest:%Y-%m-%d}: column {quoted(rows.timestamp or '')} "
            "may not be a time."
        )


def _column_warnings(features: "FeatureConfigDefinition", facts: "DataFacts") -> Iterator[str]:
    used = dict.fromkeys(f.column for f in (*features.buyer, *features.product) if not f.primary)
    for column in used:
        if facts.distinct[column] == 1:
            yield (
                f"Column {quoted(column)} holds one value only: it tells no rows apart, "
                "so it can be left out."
            )


def _target_warnings(
    target: str, features: "FeatureConfigDefinition", facts: "DataFacts"
) -> Iterator[str]:
    used = {f.column for f in (*features.buyer, *features.product)}
    if facts.distinct[target] == 1 and target not in used:
        yield (
            f"The target {quoted(target)} holds one value only: there is nothing to learn. Choose "
            "another one."
        )
    if missing := facts.rows - facts.values[target]:
        yield (
            f"{missing:,} of {facts.rows:,} rows have no number in the target {quoted(target)}: "
            "ranking losses leave them out."
        )


def leak_warnings(split: Split, features: FeatureConfig) -> Iterator[str]:
    """Say where a random split lets the future into training: other rows' lists hold it."""
    if split.kind == "random" and (histories := _histories(features)):
        verb = "lists" if len(histories) == 1 else "list"
        yield (
            f"The split is random and {listed(map(quoted, histories))} {verb} what was bought in "
            "other rows: train rows may list what is to be predicted in test. Choose a split by "
            "time."
        )


def _list_warnings(dataset: "DatasetDefinition", features: FeatureConfig) -> Iterator[str]:
    """Say which lists come from a table: nothing here sees when their values were known."""
    for column in _histories(features):
        if column not in dataset.histories:
            yield (
                f"Column {quoted(column)} is a list that a table holds: if it names what buyers "
                "bought later, the result is too good, whatever the split. A history under "
                f"[{key_text(('datasets', dataset.name, 'histories'))}] holds only what precedes "
                "a row."
            )


def _histories(features: FeatureConfig) -> list[str]:
    columns = (f.column for f in (*features.buyer, *features.product) if f.data_type == "history")
    return list(dict.fromkeys(columns))


def _split_warnings(chosen: "Chosen", cold_product_rows: int) -> Iterator[str]:
    test = chosen.facts.rows["test"]
    unknown = chosen.facts.unknown_buyer_rows / test
    if unknown > _UNKNOWN_BUYERS_TOLD:
        yield f"{unknown:.0%} of the test rows are of buyers who are not in train."
    if cold_product_rows / test > _COLD_PRODUCTS_TOLD:
        yield (
            f"{cold_product_rows / test:.0%} of the test rows are of products that are not in "
            "train: retrieval can't find them."
        )
    if test < _TEST_ROWS_TOLD:
        yield (
            f"Only {counted(test, 'test row')}: differences between results will hardly mean "
            "anything."
        )
