"""What `vertex_machine` says on stdout of the tasks that it runs, beside what they log."""

import json
from typing import Literal, NamedTuple, Self

_MARK = "@task "


class Event(NamedTuple):
    """A task starts, or has ended well with outputs: their URIs by key."""

    task: str
    what: Literal["starts", "ends"]
    outputs: dict[str, str]

    def line(self) -> str:
        """Return the event as a line of text."""
        return _MARK + json.dumps(self._asdict())

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Return the event that a line tells; None for one of a log."""
        return cls(**json.loads(line.removeprefix(_MARK))) if line.startswith(_MARK) else None
