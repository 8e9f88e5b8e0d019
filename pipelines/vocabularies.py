"""What train knows of the values of eval and test, column by column."""

from collections.abc import Mapping
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
from numpy.typing import NDArray

from engine.spec import FeatureConfig, SplitName
from engine.spec.run_folder import Vocabulary
from pipelines.data import Examples, TowerInput
from pipelines.tensors import tower_tensors


def vocabulary(
    train: NDArray[np.integer[Any]], held_out: NDArray[np.integer[Any]], size: int
) -> Vocabulary:
    """Return the statistics of an embedded column.

    Args:
        train: ids of train, `[rows]` or `[rows, length]` where a row has a list: 0 where a value
            is missing, 1 to `size` where train has it, above where it doesn't.
        held_out: ids of eval and test.
        size: distinct values of train.
    """
    rows = held_out.reshape(len(held_out), -1)
    is_set, is_known = rows > 0, (rows > 0) & (rows <= size)
    values = int(is_set.sum())
    return Vocabulary(
        size=size,
        oov_share=1 - int(is_known.sum()) / values if values else 0.0,
        coverage=_share(is_known.any(axis=1)),
        missing_share=_share(~(train.reshape(len(train), -1) > 0).any(axis=1)),
    )


def vocabularies(
    features: FeatureConfig, splits: Mapping[SplitName, Examples], sizes: Mapping[str, int]
) -> dict[str, Vocabulary]:
    """Return the statistics of every column that is embedded by its vocabulary.

    Args:
        features: of the experiment.
        splits: all three.
        sizes: distinct values of train by column.
    """
    found: dict[str, Vocabulary] = {}
    for tower, side in (("query", features.buyer_inputs), ("candidate", features.product_inputs)):
        inputs: dict[SplitName, TowerInput] = {
            split: getattr(examples, tower) for split, examples in splits.items()
        }
        embedded = [tensor for tensor in tower_tensors(side) if tensor.embedded]
        for i, tensor in enumerate(embedded):
            if tensor.transform == "embed" and tensor.column not in found:
                held_out = np.concatenate([inputs[s].ids[:, i] for s in ("eval", "test")])
                found[tensor.column] = vocabulary(
                    inputs["train"].ids[:, i], held_out, sizes[tensor.column]
                )
    return found


def _share(rows: NDArray[np.bool_]) -> float:
    return float(rows.mean()) if len(rows) else 0.0
