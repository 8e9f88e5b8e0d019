"""Read the definition files of a folder; whatever is wrong becomes a `Problem`, never an error.

A table that is wrong keeps its last good version, so that half an edit breaks nothing.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from engine.definitions.checks import (
    check_dataset,
    check_features,
    check_features_against,
    check_model,
    check_name,
    without_tables,
)
from engine.definitions.files import UnreadableError, os_reason, parse, read_text
from engine.definitions.models import (
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    ModelConfigDefinition,
)
from engine.definitions.names import key_text, listed, quoted, suggestion
from engine.definitions.positions import Path as KeyPath
from engine.definitions.positions import key_lines, line_of
from engine.definitions.snapshot import KINDS, Definitions, Key, Kind, Place, Problem
from engine.definitions.wording import Finding, explain

_MODELS: dict[Kind, type[Definition]] = {
    "datasets": DatasetDefinition,
    "features": FeatureConfigDefinition,
    "models": ModelConfigDefinition,
}


@dataclass(frozen=True)
class _Table:
    """One definition as it stands in a file; `definition` is None where it is wrong."""

    kind: Kind
    name: str
    place: Place
    definition: Definition | None
    lines: dict[KeyPath, int]


def read_definitions(folder: Path, previous: Definitions | None = None) -> Definitions:
    """Read every `*.toml` of a folder.

    Args:
        folder: the folder of the definition files.
        previous: what an earlier reading gave; its definitions stand in for what is wrong now.
    """
    reader = _Reader(previous or Definitions())
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix == ".toml")
    except OSError as error:
        reader.report(_label(folder), 1, (), f"cannot be read: {os_reason(error)}")
        reader.unreadable |= {place.file for place in reader.previous.places.values()}
        paths = []
    for path in paths:
        reader.read_file(path)
    return reader.snapshot()


class _Reader:
    def __init__(self, previous: Definitions) -> None:
        self.previous = previous
        self.unreadable: set[str] = set()
        self._tables: list[_Table] = []
        self._problems: list[Problem] = []

    def report(self, file: str, line: int, path: KeyPath, reason: str) -> None:
        self._problems.append(Problem(file=file, line=line, key=key_text(path), reason=reason))

    def read_file(self, path: Path) -> None:
        file = _label(path)
        try:
            text = read_text(path)
            document, lines = parse(text), key_lines(text)
        except UnreadableError as error:
            self.unreadable.add(file)
            self.report(file, error.line, (), error.reason)
            return
        for kind, tables in document.items():
            if kind not in KINDS:
                reason = f"unknown table. {suggestion(kind, KINDS)}"
                self.report(file, line_of((kind,), lines), (kind,), reason)
            elif not isinstance(tables, Mapping):
                self.report(file, line_of((kind,), lines), (kind,), f"must be [{kind}.NAME]")
            else:
                for name, table in cast("Mapping[str, object]", tables).items():
                    self._read_table(file, kind, name, table, lines)

    def _read_table(
        self, file: str, kind: Kind, name: str, table: object, lines: dict[KeyPath, int]
    ) -> None:
        top = (kind, name)
        definition, findings = _validate(kind, name, table)
        for path, reason in findings:
            self.report(file, line_of(top + path, lines), top + path, reason)
        place = Place(file=file, line=line_of(top, lines))
        self._tables.append(_Table(kind, name, place, None if findings else definition, lines))

    def snapshot(self) -> Definitions:
        tables = list(self._without_duplicates())
        found: dict[Key, _Table] = {(t.kind, t.name): t for t in tables}
        good = {key: t.definition for key, t in found.items() if t.definition is not None}
        datasets = self._with_last_good("datasets", good, found)
        for key in self._misfits(tables, datasets, set(found)):
            del good[key]
        features = self._with_last_good("features", good, found)
        models = self._with_last_good("models", good, found)
        of_kind = {"datasets": datasets, "features": features, "models": models}
        places = {key: table.place for key, table in found.items()}
        for (kind, name), place in self.previous.places.items():
            if name in of_kind[kind]:
                places.setdefault((kind, name), place)
        return Definitions(
            datasets=cast("dict[str, DatasetDefinition]", datasets),
            features=cast("dict[str, FeatureConfigDefinition]", features),
            models=cast("dict[str, ModelConfigDefinition]", models),
            problems=tuple(sorted(self._problems, key=lambda p: (p.file, p.line, p.key))),
            places=places,
            lines=self._lines(found),
        )

    def _lines(self, found: Mapping[Key, _Table]) -> dict[Key, Mapping[KeyPath, int]]:
        now = {
            key: {path: line for path, line in table.lines.items() if path[:2] == key}
            for key, table in found.items()
        }
        return {**self.previous.lines, **now}

    def _without_duplicates(self) -> Iterator[_Table]:
        ordered = sorted(self._tables, key=lambda t: (t.kind, t.name))
        for (kind, name), group in groupby(ordered, key=lambda t: (t.kind, t.name)):
            tables = list(group)
            for table in tables if len(tables) > 1 else ():
                others = listed(str(t.place) for t in tables if t is not table)
                reason = f"is defined twice: here and in {others}"
                self.report(table.place.file, table.place.line, (kind, name), reason)
            yield tables[0] if len(tables) == 1 else _Table(kind, name, tables[0].place, None, {})

    def _with_last_good(
        self,
        kind: Kind,
        good: Mapping[Key, Definition],
        found: Mapping[Key, _Table],
    ) -> dict[str, Definition]:
        result = {name: d for (k, name), d in good.items() if k == kind}
        for name, definition in self.previous.of_kind(kind).items():
            key = (kind, name)
            place = self.previous.places.get(key)
            if name not in result and (key in found or (place and place.file in self.unreadable)):
                result[name] = definition
        return dict(sorted(result.items()))

    def _misfits(
        self,
        tables: Iterable[_Table],
        datasets: Mapping[str, Definition],
        found: set[Key],
    ) -> Iterator[Key]:
        """Report the feature configs that don't fit their dataset."""
        known = cast("Mapping[str, DatasetDefinition]", datasets)
        for table in tables:
            features = table.definition
            if not isinstance(features, FeatureConfigDefinition):
                continue
            findings: list[Finding] = list(check_features_against(features, known))
            if features.dataset not in known and ("datasets", features.dataset) not in found:
                reason = f"unknown dataset {quoted(features.dataset)}. "
                findings.append((("dataset",), reason + suggestion(features.dataset, known)))
            for path, reason in findings:
                full = (table.kind, table.name, *path)
                self.report(table.place.file, line_of(full, table.lines), full, reason)
            if findings:
                yield table.kind, table.name


def _validate(kind: Kind, name: str, table: object) -> tuple[Definition | None, list[Finding]]:
    if not isinstance(table, Mapping):
        return None, [((), "must be a table")]
    written = cast("Mapping[str, object]", table)
    if "name" in written:
        return None, [(("name",), "unknown key: the name stands in the table's header")]
    model = _MODELS[kind]
    try:
        text = json.dumps({**written, "name": name}, default=lambda time: time.isoformat())
        definition = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        found = explain(error.errors(), written, model)
        if kind == "datasets" and "tables" not in written and "bigquery" in written:
            told = without_tables(written["bigquery"])
            found = [(path, told if path == ("tables",) else why) for path, why in found]
        return None, found
    except ValueError:
        return None, [((), "has a number that is too long")]
    findings = list(check_name(name))
    if isinstance(definition, DatasetDefinition):
        findings += check_dataset(definition)
    elif isinstance(definition, FeatureConfigDefinition):
        findings += check_features(definition)
    elif isinstance(definition, ModelConfigDefinition):
        findings += check_model(definition)
    return definition, findings


def _label(path: Path) -> str:
    """Return a path with its folder, printable whatever its bytes are."""
    text = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    return os.fsencode(text).decode("utf-8", "replace")
