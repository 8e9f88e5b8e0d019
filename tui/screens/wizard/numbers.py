"""The numbers of the wizard: which values are allowed, which are usual, how they are written."""

import re
from collections.abc import Callable
from typing import Final

_LARGEST_SEED: Final = 2**31 - 1
_LARGEST_DAYS: Final = 36_500

LADDERS: Final[dict[str, tuple[float, ...]]] = {
    "sample_percent": (5, 10, 25, 50, 100),
    "epochs": (1, 2, 3, 5, 10, 20, 50),
    "batch_size": (256, 512, 1024, 2048, 4096, 8192),
    "learning_rate": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1),
    "patience": (1, 2, 3, 5, 10),
    "holdout_days": (1, 7, 14, 28, 56, 84),
    "train_days": (7, 28, 84, 182, 364),
    "val_days": (1, 7, 14, 28, 56),
    "test_days": (1, 7, 14, 28, 56),
}
"""Usual values, from low to high; others may be typed."""


def step(name: str, text: str, default: str, direction: int) -> str:
    """Return the next usual value of a number above (1) or below (-1) what is typed.

    Args:
        name: of the field.
        text: what is typed; "" stands for the default.
        default: the value that "" means, where it is known.
        direction: 1 or -1.
    """
    ladder = LADDERS.get(name)
    try:
        now = float((text or default).replace(",", ""))
    except ValueError:
        return _written(ladder[0] if ladder else 0)
    if ladder is None:
        return _written(min(max(int(now) + direction, 0), _LARGEST_SEED))
    beyond = [value for value in ladder if (value > now if direction > 0 else value < now)]
    if not beyond:
        return text
    return _written(min(beyond) if direction > 0 else max(beyond))


def _written(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        plain = re.sub(r"(?<=[0-9])[, _](?=[0-9]{3}(?![0-9]))", "", text)
        if not re.fullmatch(r"[0-9]{1,18}", plain) or not low <= int(plain) <= high:
            raise ValueError(f"A whole number from {low:,} to {high:,}.")
        return int(plain)

    return read


def _number(low: float, high: float, example: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not re.fullmatch(r"([0-9]{1,12}\.?[0-9]{0,12}|\.[0-9]{1,12})(e-?[0-9]{1,2})?", text):
            raise ValueError(f"A number, as {example}.")
        if not low <= float(text) <= high:
            raise ValueError(f"From {low:g} to {high:g}.")
        return float(text)

    return read


READERS: Final[dict[str, Callable[[str], float]]] = {
    "sample_percent": _number(1, 100, "10"),
    "holdout_days": _whole(1, _LARGEST_DAYS),
    "train_days": _whole(1, _LARGEST_DAYS),
    "val_days": _whole(1, _LARGEST_DAYS),
    "test_days": _whole(1, _LARGEST_DAYS),
    "epochs": _whole(1, 1_000),
    "batch_size": _whole(1, 65_536),
    "learning_rate": _number(0.0001, 1, "0.01"),
    "patience": _whole(1, 1_000),
    "seed": _whole(0, _LARGEST_SEED),
}
"""By field: returns the number that a text says; a ValueError says what is allowed."""
