"""What pydantic found wrong, in the words of the person who writes the file."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from engine.definitions.models import (
    BigQuerySource,
    CrossDefinition,
    FeatureDefinition,
    Filter,
    History,
    Join,
    RatingDefinition,
    Roles,
)
from engine.definitions.names import quoted, suggestion
from engine.definitions.positions import Path
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm, RetrievalSettings, Target

Finding = tuple[Path, str]
"""A path below the definition's table, and what is wrong there."""

_TABLES: dict[str, type[BaseModel]] = {
    "joins": Join,
    "filters": Filter,
    "roles": Roles,
    "histories": History,
    "bigquery": BigQuerySource,
    "buyer": FeatureDefinition,
    "product": FeatureDefinition,
    "buyer_crosses": CrossDefinition,
    "product_crosses": CrossDefinition,
    "target": Target,
    "retrieval": RetrievalSettings,
    "rating": RatingDefinition,
    "dense": Dense,
    "dropout": Dropout,
    "batch_norm": BatchNorm,
    "layer_norm": LayerNorm,
}
"""The innermost name in an error's location to the table that it speaks of."""

_REASONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda ctx: "is missing",
    "greater_than": lambda ctx: f"must be above {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']:g}",
    "less_than": lambda ctx: f"must be below {ctx['lt']:g}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']:g}",
    "finite_number": lambda ctx: "must be a finite number",
    "string_type": lambda ctx: "must be text in quotes",
    "int_type": lambda ctx: "must be a whole number",
    "int_from_float": lambda ctx: "must be a whole number",
    "float_type": lambda ctx: "must be a number",
    "bool_type": lambda ctx: "must be true or false",
    "bool_parsing": lambda ctx: "must be true or false",
    "int_parsing": lambda ctx: "must be a whole number",
    "float_parsing": lambda ctx: "must be a number",
    "tuple_type": lambda ctx: "must be a list",
    "dict_type": lambda ctx: "must be a table",
    "model_type": lambda ctx: "must be a table",
    "model_attributes_type": lambda ctx: "must be a table",
    "too_long": lambda ctx: f"has more than {ctx['max_length']} values",
    "literal_error": lambda ctx: f"must be one of {ctx['expected'].replace(' or ', ', ')}",
    "union_tag_invalid": lambda ctx: f"must be one of {ctx['expected_tags']}",
    "union_tag_not_found": lambda ctx: "needs a kind: dense, dropout, batch_norm or layer_norm",
    "value_error": lambda ctx: str(ctx["error"]),
}


def explain(
    errors: list[ErrorDetails],
    written: Mapping[str, object],
    model: type[BaseModel],
    tables: Mapping[str, type[BaseModel]] = _TABLES,
) -> list[Finding]:
    """Return one finding a wrong key.

    Args:
        errors: of one failed validation.
        written: the values that were validated.
        model: what they were validated as.
        tables: the innermost name in an error's location to the table that it speaks of.
    """
    findings: dict[Path, list[str]] = {}
    for error in errors:
        path = _written_path(error, written)
        findings.setdefault(path, []).append(_reason(error, model, tables))
    return [
        (path, reasons[0] if len(reasons) == 1 else "must be text, a number, true or false")
        for path, reasons in findings.items()
    ]


def _written_path(error: ErrorDetails, written: Mapping[str, object]) -> Path:
    """Drop what pydantic adds to a location (the kind of a layer, the branches of a union)."""
    path: Path = ()
    value: object = written
    for part in error["loc"]:
        if isinstance(value, Mapping) and part in value:
            value = cast("Mapping[object, object]", value)[part]
        elif isinstance(value, list) and isinstance(part, int):
            elements = cast("list[object]", value)
            if part >= len(elements):  # a list that is too short
                continue
            value = elements[part]
        else:
            continue
        path = (*path, part)
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    if error["type"] == "union_tag_invalid":
        path = (*path, "kind")
    return path


def _reason(
    error: ErrorDetails, model: type[BaseModel], tables: Mapping[str, type[BaseModel]]
) -> str:
    location, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        parents = [p for p in location[:-1] if isinstance(p, str) and p in tables]
        table = tables[parents[-1]] if parents else model
        known = [f.alias or name for name, f in table.model_fields.items() if name != "name"]
        return f"unknown key. {_suggested(str(location[-1]), known)}"
    reason = _REASONS.get(kind)
    if reason is None:
        return error["msg"][:1].lower() + error["msg"][1:]
    text = reason(error.get("ctx", {}))
    if kind == "literal_error" and isinstance(error["input"], str):
        text += f", not {quoted(error['input'])}"
    return text


def _suggested(key: str, known: list[str]) -> str:
    found = suggestion(key, known)
    return found if found.startswith("Did") else f"The keys are {', '.join(known)}."
