"""Whether rows and embedding tables fit this machine's memory, asked before they are made."""

from collections.abc import Mapping

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import psutil
import tensorflow as tf

from engine.spec import ModelConfig, OptimizerName, TrainingParams
from pipelines.errors import RunFailure

_BYTES_A_WEIGHT: dict[OptimizerName, int] = {
    "adagrad": 34,
    "adam": 51,
    "adamw": 51,
    "sgd": 42,
    "rmsprop": 42,
    "ftrl": 55,
}
"""Peak of a training of 80 million weights: the weights, what the optimizer keeps of each, and the
copies in which an epoch's histograms are made."""
_ROW_WISE_BYTES = 38
"""Adam that moves only the rows of a batch makes no gradient of the whole table."""
_COPIES = 2
_KEPT_BYTES = 4
"""The weights of the best epoch."""


def check_memory(
    model: tf.Module,
    config: ModelConfig,
    params: TrainingParams,
    vocabulary_sizes: Mapping[str, int],
    *,
    free_bytes: int | None = None,
) -> None:
    """Refuse a model whose embedding tables don't fit.

    Args:
        model: whose weights haven't been made yet.
        config: its config.
        params: of its training.
        vocabulary_sizes: number of tokens that train has, by text column; not empty.
        free_bytes: what there is; None asks the machine.

    Raises:
        RunFailure: they need more than is free.
    """
    tables = (m for m in model.submodules if isinstance(m, tf.keras.layers.Embedding))
    weights = sum(table.input_dim * table.output_dim for table in tables)
    needed = weights * _bytes_a_weight(config, params)
    free = psutil.virtual_memory().available if free_bytes is None else free_bytes
    if needed <= free:
        return
    column, size = max(vocabulary_sizes.items(), key=lambda found: found[1])
    raise RunFailure(
        f"Training would need {_gigabytes(needed)} of memory for {weights:,} weights of embedding "
        f"tables, and {_gigabytes(free)} is free. The largest vocabulary is that of "
        f'"{column}" with {size:,} values.',
        hint=f"Use a smaller sample, filter rare values out, or give the {_narrower(config)}.",
    )


def check_rows(rows: int, size: int, *, free_bytes: int | None = None) -> None:
    """Refuse rows that don't fit, while they are read.

    Args:
        rows: number of the rows of a split that were read so far.
        size: bytes that their arrays take; what becomes one array of each, and is then put in
            order, takes as much again each time.
        free_bytes: what there is; None asks the machine.

    Raises:
        RunFailure: they need more than is free.
    """
    needed = _COPIES * size
    free = psutil.virtual_memory().available if free_bytes is None else free_bytes
    if needed <= free:
        return
    raise RunFailure(
        f"The Trainer holds all rows in memory: the first {rows:,} take {_gigabytes(size)}, "
        f"putting them in order takes {_gigabytes(needed)} more, and {_gigabytes(free)} is free.",
        hint="Use a smaller sample, fewer features or a machine with more memory.",
    )


def _narrower(config: ModelConfig) -> str:
    summed = config.combine == "sum"
    return "model a smaller output_dim" if summed else "feature a smaller dim"


def _bytes_a_weight(config: ModelConfig, params: TrainingParams) -> int:
    lazy = config.row_wise and config.optimizer in ("adam", "adamw")
    own = _ROW_WISE_BYTES if lazy else _BYTES_A_WEIGHT[config.optimizer]
    return own + (_KEPT_BYTES if params.early_stopping else 0)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
