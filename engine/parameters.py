"""Training parameters: what was asked for, checked, and what was left open, decided by the data."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.definitions.models import LEAST_LEARNING_RATE
from engine.definitions.names import counted, listed, quoted
from engine.errors import InvalidInput
from engine.query.examples import Selection
from engine.query.measuring import DataFacts, Measurement, SplitFacts, day_of
from engine.query.rows import DatasetRows
from engine.spec import SPLITS, EarlyStopping, ModelConfig, ModelType, Split, TrainingParams
from engine.states import Hardware

if TYPE_CHECKING:
    from engine.planning import QuickTestRequest

LARGE_ROWS = 200_000
"""From this many rows on, an unset sample is 10%."""
LEAST_ROWS = 20
"""Fewer rows than this cannot be trained on and split."""
_STEPS_AN_EPOCH: dict[ModelType, int] = {"retrieval": 100, "ranking": 500, "multitask": 100}
"""At least; a softmax over the batch wants a wide one, ratings get better by more steps."""
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 4096
_SEEDS = 1_000
_HASHES_FOR_SEEDS = 20_000_000
"""How many rows may be hashed in search of a seed before it is given up (some seconds)."""
_USUAL_EPOCHS = 50
_LARGEST_SEED = 2**31 - 1
MACHINE_TYPES: dict[Hardware, str] = {
    "small": "e2-standard-4",
    "medium": "e2-standard-8",
    "large": "e2-standard-16",
}
"""Dataflow's workers by the hardware that the wizard offers."""
_MEDIUM_ROWS, _LARGE_HARDWARE_ROWS = 1_000_000, 10_000_000


def check_request(request: "QuickTestRequest") -> None:
    """Check what can be checked without definitions and data.

    Raises:
        InvalidInput: a value is out of its range, or doesn't go with another.
    """
    limits: tuple[tuple[str, float | None, float, float], ...] = (
        ("Epochs", request.epochs, 1, 1_000),
        ("The batch size", request.batch_size, 1, 65_536),
        ("The seed", request.seed, 0, _LARGEST_SEED),
        ("The patience of early stopping", request.early_stopping, 1, 1_000),
        ("Holdout days", request.holdout_days, 1, 36_500),
        ("Train days", request.train_days, 1, 36_500),
        ("Val days", request.val_days, 1, 36_500),
        ("Test days", request.test_days, 1, 36_500),
    )
    for what, value, low, high in limits:
        if value is not None and not low <= value <= high:
            raise InvalidInput(f"{what} must be from {low:,} to {high:,.0f}, not {value:,}.")
    sample, rate = request.sample_percent, request.learning_rate
    if sample is not None and not 0 < sample <= 100:
        raise InvalidInput(f"The sample must be above 0 and at most 100, not {sample:g}.")
    if rate is not None and not LEAST_LEARNING_RATE <= rate <= 1:
        raise InvalidInput(
            f"The learning rate must be from {LEAST_LEARNING_RATE:g} to 1, not {rate:g}."
        )
    check_split(split_of(request))


def check_split(split: Split) -> None:
    """Check that a split has the days that its kind needs, and no others.

    Raises:
        InvalidInput: it lacks some, or has some too many.
    """
    strict = {
        "train days": split.train_days,
        "val days": split.val_days,
        "test days": split.test_days,
    }
    if split.kind == "time-holdout":
        if split.holdout_days is None:
            raise InvalidInput(
                "The split time-holdout needs holdout days.", hint="Add --holdout-days N."
            )
    elif split.holdout_days is not None:
        raise InvalidInput(
            f"Holdout days don't go with the split {split.kind}.",
            hint="Add --split time-holdout.",
        )
    if split.kind == "strict-time":
        missing = [name for name, days in strict.items() if days is None]
        if missing:
            raise InvalidInput(
                f"The split strict-time needs {' and '.join(missing)}.",
                hint="Add --train-days N --val-days N --test-days N.",
            )
    elif given := [name for name, days in strict.items() if days is not None]:
        raise InvalidInput(
            f"{given[0].capitalize()} don't go with the split {split.kind}.",
            hint="Add --split strict-time.",
        )


def split_of(request: "QuickTestRequest") -> Split:
    """Return the split that a request asks for."""
    return Split(
        kind=request.split,
        holdout_days=request.holdout_days,
        train_days=request.train_days,
        val_days=request.val_days,
        test_days=request.test_days,
    )


@dataclass(frozen=True)
class Chosen:
    """A selection that can be trained on, and what it gives."""

    selection: Selection
    facts: SplitFacts


def choose_selection(
    request: "QuickTestRequest",
    rows: DatasetRows,
    measurement: Measurement,
    *,
    sample_by: Literal["buyer", "row"],
) -> Chosen:
    """Choose sample and split seed, from the request's seed on, so that no split is empty.

    Raises:
        InvalidInput: there is too little data.
    """
    facts, dataset = measurement.facts, rows.dataset.name
    split = split_of(request)
    if split.kind != "random" and rows.timestamp is None:
        raise InvalidInput(
            f"The split {split.kind} needs times, but dataset {quoted(dataset)} has no timestamp.",
            hint="Name the column under [datasets.NAME.roles].",
        )
    check_enough(dataset, facts)
    sample = request.sample_percent
    if sample is None:
        sample = 100.0 if facts.rows < LARGE_ROWS else 10.0
    if facts.rows * sample / 100 < LEAST_ROWS:
        raise InvalidInput(
            f"A sample of {sample:g}% of the {facts.rows:,} rows of dataset {quoted(dataset)} is "
            f"less than {LEAST_ROWS} rows.",
            hint=f"Sample at least {math.ceil(100 * LEAST_ROWS / facts.rows)}%.",
        )
    first: SplitFacts | None = None
    for seed in range(request.seed, request.seed + _seeds_to_try(facts)):
        selection = Selection(sample, sample_by, split, seed, facts.newest)
        found = measurement.split(selection)
        if found.is_trainable and found.total >= LEAST_ROWS:
            return Chosen(selection, found)
        if first is None and not measurement.has_keys(len(SPLITS)):
            raise InvalidInput(
                f"Dataset {quoted(dataset)} has too little data: fewer than {len(SPLITS)} row keys "
                f"({listed(map(quoted, rows.row_key))}), and rows of one key stay together."
            )
        first = first or found
        if not _seed_matters(selection, found):
            break
    raise (
        _too_little(dataset, sample, first, facts)
        if split.kind == "random"
        else _too_short(dataset, first, facts)
    )


def _seeds_to_try(facts: DataFacts) -> int:
    return min(_SEEDS, max(1, _HASHES_FOR_SEEDS // facts.rows))


def _seed_matters(selection: Selection, found: SplitFacts) -> bool:
    if selection.sample_percent < 100 or selection.split.kind == "random":
        return True
    return selection.split.kind == "time-holdout" and found.total - found.rows["test"] > 1


def check_enough(dataset: str, facts: DataFacts) -> None:
    """Accept a dataset that has enough rows, buyers and products to train on.

    Raises:
        InvalidInput: there are too few.
    """
    reason = too_few(facts.rows, facts.buyers, facts.products)
    if reason:
        raise InvalidInput(
            f"Dataset {quoted(dataset)} has too little data: {reason}.",
            hint="Add data, or filter less.",
        )


def too_few(rows: int, buyers: int, products: int) -> str:
    """Return why so little cannot be trained on; empty where it can."""
    if rows < LEAST_ROWS:
        return f"{counted(rows, 'row')}; at least {LEAST_ROWS} are needed"
    if buyers < 2 or products < 2:
        found = f"{counted(buyers, 'buyer')} and {counted(products, 'product')}"
        return f"{found}; at least 2 of each are needed"
    return ""


def _too_little(
    dataset: str, sample: float, found: SplitFacts | None, facts: DataFacts
) -> InvalidInput:
    counts = ", ".join(f"{name} {n:,}" for name, n in (found.rows if found else {}).items())
    message = f"Dataset {quoted(dataset)} ({facts.rows:,} rows) is too small for this split"
    hint = "Choose another split, or add data."
    if sample < 100:
        message = f"A sample of {sample:g}% of dataset {quoted(dataset)} ({facts.rows:,} rows)"
        message += " is too small"
        hint = "Raise the sample."
    return InvalidInput(
        f"{message}: it gives {counts} rows. Needed are {LEAST_ROWS} rows, some of them in every "
        "split, and 2 products in train.",
        hint=hint,
    )


def _too_short(dataset: str, found: SplitFacts | None, facts: DataFacts) -> InvalidInput:
    """Say why a split by time leaves a split, or nearly all rows, out."""
    counts = ", ".join(f"{name} {n:,}" for name, n in (found.rows if found else {}).items())
    return InvalidInput(
        f"Dataset {quoted(dataset)} is too short for this split: it is from {day_of(facts.oldest)} "
        f"to {day_of(facts.newest)}, which gives {counts} rows. Needed are {LEAST_ROWS} rows, some "
        "of them in every split, and 2 products in train.",
        hint="Choose other days or another split, a larger sample, or add data.",
    )


def training_params(
    request: "QuickTestRequest", model: ModelConfig, chosen: Chosen
) -> tuple[TrainingParams, list[str]]:
    """Return the resolved parameters, and warnings.

    Raises:
        InvalidInput: the batch size that was asked for is larger than the data.
    """
    train = chosen.facts.rows["train"]
    computed = batch_size_for(train, model.type)
    batch_size = request.batch_size or model.batch_size or computed
    warnings: list[str] = []
    if batch_size > train:
        if request.batch_size is not None:
            raise InvalidInput(
                f"A batch of {batch_size:,} is larger than the train split ({train:,} rows).",
                hint=f"Leave the batch size open, or choose {computed:,}.",
            )
        warnings.append(
            f"The model config's batch size of {batch_size:,} is larger than the train split "
            f"({train:,} rows): {computed:,} is used."
        )
        batch_size = computed
    if request.epochs > _USUAL_EPOCHS:
        warnings.append(f"{request.epochs} epochs are many for a quick test.")
    params = TrainingParams(
        sample_percent=chosen.selection.sample_percent,
        sample_by=chosen.selection.sample_by,
        split=chosen.selection.split,
        split_seed=chosen.selection.seed,
        epochs=request.epochs,
        batch_size=batch_size,
        learning_rate=request.learning_rate or model.learning_rate,
        seed=request.seed,
        early_stopping=None
        if request.early_stopping is None
        else EarlyStopping(patience=request.early_stopping, monitor=request.early_stopping_on),
        deterministic=request.deterministic,
        machine_type=_machine_type(request, chosen),
    )
    return params, warnings


def recommended_hardware(rows: int) -> Hardware:
    """Return the hardware for so many sampled rows; Dataflow's workers never see the model."""
    if rows < _MEDIUM_ROWS:
        return "small"
    return "medium" if rows < _LARGE_HARDWARE_ROWS else "large"


def _machine_type(request: "QuickTestRequest", chosen: Chosen) -> str | None:
    if request.backend == "local":
        return None
    return MACHINE_TYPES[request.hardware or recommended_hardware(chosen.facts.total)]


def batch_size_for(train_rows: int, model_type: ModelType) -> int:
    """Return the largest power of two that gives enough steps an epoch, from 32 to 4096.

    Never more than the rows there are.
    """
    steps = _STEPS_AN_EPOCH[model_type]
    wanted = min(max(train_rows // steps, _SMALLEST_BATCH), _LARGEST_BATCH)
    return 1 << (min(wanted, train_rows).bit_length() - 1)
