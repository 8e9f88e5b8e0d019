"""What makes a definition unfit for its data, with the key that says so."""

from collections.abc import Generator
from contextlib import contextmanager

from engine.definitions.names import key_text
from engine.definitions.positions import Path
from engine.definitions.snapshot import Definitions, Key, Problem
from engine.errors import InvalidInput


class DataMisfit(InvalidInput):
    """A definition and the data don't go together.

    Args:
        error: what is wrong.
        path: the key that is wrong, from the definition's kind on.
    """

    def __init__(self, error: InvalidInput, path: Path) -> None:
        super().__init__(error.message, hint=error.hint)
        self.path = path

    def as_problem(self, definitions: Definitions) -> Problem | None:
        """Return the misfit with file and line; None where the definition is in no file."""
        key: Key = (self.path[0], self.path[1])  # pyright: ignore[reportAssignmentType]
        place = definitions.places.get(key)
        if place is None:
            return None
        line = definitions.line_of(self.path)
        reason = f"{self.message[:1].lower()}{self.message[1:]} {self.hint}".strip()
        return Problem(file=place.file, line=line, key=key_text(self.path), reason=reason)


class EmptyTarget(DataMisfit):
    """A target without any value, which only models that learn it need."""


@contextmanager
def concerning(*path: str | int) -> Generator[None]:
    """Say of what is refused inside which key of a definition is to blame; the innermost counts."""
    try:
        yield
    except DataMisfit:
        raise
    except InvalidInput as error:
        raise DataMisfit(error, path) from error


@contextmanager
def placed(definitions: Definitions) -> Generator[None]:
    """Begin what is refused inside with file, line and key of the definition to blame."""
    try:
        yield
    except DataMisfit as error:
        problem = error.as_problem(definitions)
        if problem is None:
            raise
        said = error.message[:1].lower() + error.message[1:]
        where = f"{problem.file}:{problem.line}: {problem.key}"
        raise InvalidInput(f"{where}: {said}", hint=error.hint) from error
