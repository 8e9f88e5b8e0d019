"""What reading the definition files gives: a frozen snapshot, and everything that is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from engine.definitions.models import (
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    ModelConfigDefinition,
)
from engine.definitions.names import key_text, quoted, suggestion
from engine.definitions.positions import Path, line_of
from engine.errors import InvalidInput, NotFound
from engine.spec import Frozen

Kind = Literal["datasets", "features", "models"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_NOUNS: dict[Kind, str] = {
    "datasets": "dataset",
    "features": "feature config",
    "models": "model config",
}
Key = tuple[Kind, str]
"""A definition by kind and name."""
_D = TypeVar("_D", bound=Definition)


class Place(Frozen):
    """Where a definition stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Problem(Frozen):
    """Something wrong in a definition file.

    Attributes:
        file: folder and name of the file.
        line: from 1.
        key: the key as written in TOML, as `datasets.grocery.roles.buyer`; empty for a whole file.
        reason: what is wrong and, where known, what may have been meant.
    """

    file: str
    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + (f"{self.key}: " if self.key else "") + self.reason

    def concerns(self, kind: Kind, name: str) -> bool:
        """Whether it is about this definition."""
        table = key_text((kind, name))
        return self.key == table or self.key.startswith((f"{table}.", f"{table}["))


@dataclass(frozen=True)
class Definitions:
    """All definitions of a workspace by name, and what is wrong in their files.

    A definition with a problem is the last good version, or missing where there was none.
    """

    datasets: Mapping[str, DatasetDefinition] = field(default_factory=dict)
    features: Mapping[str, FeatureConfigDefinition] = field(default_factory=dict)
    models: Mapping[str, ModelConfigDefinition] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    places: Mapping[Key, Place] = field(default_factory=dict)
    lines: Mapping[Key, Mapping[Path, int]] = field(default_factory=dict, compare=False, repr=False)
    """The line of each key of a definition, paths from the kind on."""

    def of_kind(self, kind: Kind) -> Mapping[str, Definition]:
        """Return the definitions of one kind by name."""
        by_kind: dict[Kind, Mapping[str, Definition]] = {
            "datasets": self.datasets,
            "features": self.features,
            "models": self.models,
        }
        return by_kind[kind]

    def dataset(self, name: str) -> DatasetDefinition:
        """Return a dataset.

        Raises:
            NotFound: there is none of that name.
            InvalidInput: there is one, but it is wrong.
        """
        return self._find("datasets", name, self.datasets)

    def feature_config(self, name: str) -> FeatureConfigDefinition:
        """Return a feature config; raises like `dataset`."""
        return self._find("features", name, self.features)

    def model_config(self, name: str) -> ModelConfigDefinition:
        """Return a model config; raises like `dataset`."""
        return self._find("models", name, self.models)

    def problems_of(self, kind: Kind, name: str) -> tuple[Problem, ...]:
        """Return what is wrong with one definition."""
        return tuple(p for p in self.problems if p.concerns(kind, name))

    def problems_in(self, kind: Kind) -> tuple[Problem, ...]:
        """Return what is wrong with definitions of a kind, and what may hide one of them.

        That is what makes a whole file unreadable, or a table that is of no kind.
        """
        others = tuple(k for k in KINDS if k != kind)
        return tuple(p for p in self.problems if not re.match(rf"({'|'.join(others)})\b", p.key))

    def line_of(self, path: Path) -> int:
        """Return the line of a key, paths from the kind on; of its table when it isn't written."""
        key: Key = (path[0], path[1])  # pyright: ignore[reportAssignmentType] - as documented
        place = self.places.get(key)
        known = self.lines.get(key, {})
        return line_of(path, {key: place.line if place else 1, **known})

    def _find(self, kind: Kind, name: str, definitions: Mapping[str, _D]) -> _D:
        if name in definitions:
            return definitions[name]
        noun = _NOUNS[kind]
        if problems := self.problems_of(kind, name):
            raise InvalidInput(
                f"The {noun} {quoted(name)} is invalid: {str(problems[0]).rstrip('.')}.",
                hint="Correct the file and try again.",
            )
        broken = [p for p in self.problems if not p.key]
        hint = suggestion(name, definitions)
        if broken:
            hint = f"It may stand in a file that can't be read: {broken[0]}"
        raise NotFound(f"There is no {noun} {quoted(name)}.", hint=hint)
