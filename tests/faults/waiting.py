"""Waiting in tests: for a condition, with a deadline, never for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def wait_for(condition: Callable[[], Result], *, seconds: float = 20, what: str = "") -> Result:
    """Return the condition's first true value; fails the test when it doesn't come in time."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not come true within {seconds} s")
        time.sleep(0.01)
    return result
