"""Every option that a definition, a run or a comparison takes, and every metric, has a test."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from engine.cli.comparing import compare
from engine.definitions.models import (
    CrossDefinition,
    DatasetDefinition,
    FeatureConfigDefinition,
    FeatureDefinition,
    ModelConfigDefinition,
)
from engine.metric_names import in_results
from engine.planning import QuickTestRequest
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm
from tests.options import OPTIONS

ROOT = Path(__file__).parents[1]
MODELS: dict[str, type[BaseModel]] = {
    "datasets": DatasetDefinition,
    "runs": QuickTestRequest,
    "features": FeatureConfigDefinition,
    "models": ModelConfigDefinition,
}
SHARED: dict[type[BaseModel], str] = {
    FeatureDefinition: "feature",
    CrossDefinition: "cross",
    **dict.fromkeys((Dense, Dropout, BatchNorm, LayerNorm), "layer"),
}
"""Tables that stand at several keys, and mean the same there."""
LABELS = {"name", "description", "tags"}
"""What people call things, which changes no result."""


def options_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield the key of every option; of one with named choices, each with its choice."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        if name == "kind":
            yield f"{before.rstrip('.')} = {field.default}"
            continue
        nested = list(dict.fromkeys(parts_of(field.annotation)))
        choices = [value for part in nested if isinstance(part, tuple) for value in part]
        tables = [part for part in nested if isinstance(part, type)]
        if len(choices) > 1:
            yield from (f"{key} = {choice}" for choice in choices)
        elif not choices and not tables and key not in LABELS:
            yield key
        for table in tables:
            yield from options_of(table, f"{SHARED.get(table, key)}.")


def parts_of(annotation: object) -> Iterator[type[BaseModel] | tuple[object, ...]]:
    """Yield the tables and the choices inside a type."""
    if get_origin(annotation) is Literal:
        yield get_args(annotation)
    elif get_origin(annotation) is Annotated:
        yield from parts_of(get_args(annotation)[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, tuple, dict, list}:
        for inside in get_args(annotation):
            yield from parts_of(inside)


def accepted(kind: str) -> set[str]:
    if kind == "metrics":
        return set(in_results("recall_at_100")) - {"loss"}
    if kind == "comparisons":
        return {option.name for option in compare.params if option.name} - {"workspace", "json"}
    return set(options_of(MODELS[kind]))


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_option_has_a_test(kind: str):
    named = {option for options in OPTIONS[kind].values() for option in options}
    assert named == accepted(kind)


@pytest.mark.parametrize("test", [test for tests in OPTIONS.values() for test in tests])
def test_the_named_test_exists(test: str):
    file, _, name = test.partition("::")
    assert name in names_in(f"tests/{file}.py")
