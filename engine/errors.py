"""The errors that people see. Each says what failed, which resource, and what to do.

    EngineError
    ├── InvalidInput          the request or a file is wrong                      exit code 2
    │   ├── NotFound          no such experiment, definition, file                exit code 2
    │   └── NotAllowed        the state of the experiment doesn't permit it       exit code 2
    └── EnvironmentNotReady   something must be installed, started or freed       exit code 3

Adapters translate a library's errors into these with `raise … from`.
"""


class EngineError(Exception):
    """One sentence about what failed and, where known, one about what to do.

    Args:
        message: what failed and which resource, as a sentence.
        hint: what to do about it; empty when there is nothing to suggest.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(EngineError):
    """The request, a definition or a data file is wrong; nothing was changed."""

    exit_code = 2


class NotFound(InvalidInput):
    """Something was named that does not exist."""


class NotAllowed(InvalidInput):
    """The experiment's state does not permit the operation."""


class EnvironmentNotReady(EngineError):
    """The machine or the account isn't ready; the hint says what to run."""

    exit_code = 3
