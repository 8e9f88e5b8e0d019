"""Faults that tests inject between a client and a server, whatever the protocol."""

import random
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lose", "hang", "refuse"]
"""`lose`: the server does what it was asked, and its answer gets lost; `hang`: no answer comes
while the client waits; `refuse`: a status instead of an answer."""


@dataclass
class Fault:
    """What happens to the next calls of a method.

    Attributes:
        kind: what it is.
        status: name of a gRPC code.
        times: to how many calls; None stands for all until it is removed.
        share: of the calls, by chance.
        message: that comes with the status.
    """

    kind: Kind
    status: str = "UNAVAILABLE"
    times: int | None = None
    share: float = 1.0
    message: str = "injected by the test"


class Faults:
    """The faults of a server, by method; "*" stands for all. Counts the calls, too."""

    def __init__(self) -> None:
        self._planned: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._chance = random.Random(0)
        self.calls: Counter[str] = Counter()
        self.released = threading.Event()
        """Ends what hangs."""

    def plan(self, method: str, kind: Kind, **options: object) -> None:
        """Let something happen to the next calls of a method."""
        with self._lock:
            self._planned[method] = Fault(kind, **options)  # pyright: ignore[reportArgumentType]

    def clear(self) -> None:
        """Remove every fault, and end what hangs."""
        with self._lock:
            self._planned.clear()
        self.released.set()
        self.released = threading.Event()

    def next(self, method: str) -> Fault | None:
        """Count a call, and return what is to happen to it."""
        with self._lock:
            self.calls[method] += 1
            key = method if method in self._planned else "*"
            fault = self._planned.get(key)
            if fault is not None and self._chance.random() >= fault.share:
                return None
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    del self._planned[key]
            return fault
