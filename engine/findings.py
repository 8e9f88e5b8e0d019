"""`Check`: one finding of `towerlab doctor`."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        state: `missing` means that experiments can't run before it is mended.
        hint: what to do; empty when there is nothing to do.
    """

    name: str
    state: State
    message: str
    hint: str = ""
