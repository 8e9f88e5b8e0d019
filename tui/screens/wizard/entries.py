"""What can be chosen in step 1: definitions as entries of lists, wrong ones with their reason."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.definitions import Definitions, Kind, Problem

MODEL_TYPES: Final = ("retrieval", "ranking", "multitask")
_NAMED = r'\.("(?:[^"\\]|\\.)*"|[A-Za-z0-9_-]+)'


@dataclass(frozen=True)
class Entry:
    """A line of a list.

    Attributes:
        name: of the definition, or what a heading says; foreign.
        heading: whether it is a heading, which can't be reached.
        badge: what stands at its right.
        usable: whether it can be chosen.
        problems: what is wrong with it; one that is usable too is the last good version.
    """

    name: str
    heading: bool = False
    badge: str = ""
    usable: bool = True
    problems: tuple[Problem, ...] = ()


def feature_entries(definitions: Definitions, model_type: str) -> list[Entry]:
    """Return the feature configs that serve a model type, under the names of their datasets."""
    by_dataset: dict[str, list[Entry]] = {}
    for name, features in definitions.features.items():
        if model_type != "retrieval" and features.target is None:
            continue
        data = definitions.datasets.get(features.dataset)
        problems = definitions.problems_of("features", name)
        if data is None:
            problems += definitions.problems_of("datasets", features.dataset)
        badge = "with target" if features.target is not None else ""
        entry = Entry(name, badge=badge, usable=data is not None, problems=problems)
        by_dataset.setdefault(features.dataset, []).append(entry)
    listed: list[Entry] = []
    for dataset, entries in sorted(by_dataset.items()):
        listed += [Entry(dataset, heading=True), *entries]
    return [*listed, *_broken(definitions, "features")]


def model_entries(definitions: Definitions, model_type: str) -> list[Entry]:
    """Return the model configs of a type."""
    return [
        *(
            Entry(name, problems=definitions.problems_of("models", name))
            for name, model in definitions.models.items()
            if model.type == model_type
        ),
        *_broken(definitions, "models"),
    ]


def first_choice(definitions: Definitions, newest: tuple[str, str] | None) -> tuple[str, str]:
    """Return feature and model config to begin with: the newest experiment's while they exist.

    Otherwise the first feature config that can be used, and the first model config whose towers
    add up their fields, as `init` writes it, or that has the standard preset; one for retrieval,
    which needs no target, if there is one.
    """
    features, model = newest or ("", "")
    if features not in definitions.features:
        configs = definitions.features.items()
        usable = [name for name, config in configs if config.dataset in definitions.datasets]
        features = next(iter(usable), "")
    if model not in definitions.models:
        models = sorted(definitions.models.items(), key=lambda one: one[1].type != "retrieval")
        sums = [name for name, m in models if m.combine == "sum"]
        standard = [name for name, m in models if m.preset == "standard"]
        model = next(iter([*sums, *standard, *definitions.models]), "")
    return features, model


def _broken(definitions: Definitions, kind: Kind) -> Iterator[Entry]:
    """Yield what can't be used: definitions without a valid version, and unreadable files."""
    known = definitions.of_kind(kind)
    found: dict[str, list[Problem]] = {}
    for problem in definitions.problems_in(kind):
        name = _name_in(kind, problem)
        if name is None:
            found.setdefault(problem.file, []).append(problem)
        elif name not in known:
            found.setdefault(name, []).append(problem)
    if found:
        yield Entry("not usable", heading=True)
    for name, problems in found.items():
        yield Entry(name, badge="invalid", usable=False, problems=tuple(problems))


def _name_in(kind: Kind, problem: Problem) -> str | None:
    match = re.match(kind + _NAMED, problem.key)
    if match is None:
        return None
    written = match[1]
    return str(json.loads(written)) if written.startswith('"') else written
