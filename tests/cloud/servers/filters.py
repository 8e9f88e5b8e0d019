"""Filters of lists (AIP-160, as far as clients of ours need it): anything else is refused."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.cloud.servers.refusal import refuse

_TERM = re.compile(
    r"""\s*(?P<field>[a-z_]+(?:\.[A-Za-z0-9_-]+)*)\s*
    (?P<operator>>=|<=|!=|=|>|<|:)\s*
    (?P<value>"(?:[^"\\]|\\.)*"|\((?:\s*"[^"]*"\s*(?:OR)?)+\)|[^\s()"]+)\s*""",
    re.VERBOSE,
)


class Term(NamedTuple):
    """One comparison; a list of alternatives has several values."""

    field: str
    operator: str
    values: tuple[str, ...]


def parse(text: str, allowed: Mapping[str, str]) -> list[Term]:
    """Return the comparisons of a filter, which AND joins.

    Args:
        text: the filter.
        allowed: the operators of each field; a field that ends with "." stands for what begins so.

    Raises:
        Refusal: it is no filter, or names a field or an operator that isn't allowed.
    """
    terms: list[Term] = []
    at = 0
    while at < len(text.rstrip()):
        if terms:
            joined = re.compile(r"\s*AND\s+").match(text, at)
            if joined is None:
                refuse("INVALID_ARGUMENT", f"Invalid filter at {text[at:]!r}.")
            at = joined.end()
        found = _TERM.match(text, at)
        if found is None:
            refuse("INVALID_ARGUMENT", f"Invalid filter at {text[at:]!r}.")
        at = found.end()
        terms.append(_checked(found, allowed))
    return terms


def _checked(found: re.Match[str], allowed: Mapping[str, str]) -> Term:
    field, operator, value = found["field"], found["operator"], found["value"]
    key = field if field in allowed else field.split(".")[0] + "."
    if key not in allowed:
        refuse("INVALID_ARGUMENT", f"Unknown field {field!r} in the filter.")
    if operator not in allowed[key].split():
        refuse("INVALID_ARGUMENT", f"{field!r} doesn't support {operator!r}.")
    if value.startswith("("):
        return Term(field, operator, tuple(re.findall(r'"([^"]*)"', value)))
    return Term(field, operator, (value.strip('"'),))


def matches(term: Term, value: str | None) -> bool:
    """Return whether a value, as text, satisfies a comparison."""
    if value is None:
        return term.operator == "!="
    compared: dict[str, Callable[[str], bool]] = {
        "=": lambda wanted: value == wanted,
        "!=": lambda wanted: value != wanted,
        ":": lambda wanted: wanted == "*" or wanted.strip("*") in value,
        ">": lambda wanted: value > wanted,
        "<": lambda wanted: value < wanted,
        ">=": lambda wanted: value >= wanted,
        "<=": lambda wanted: value <= wanted,
    }
    return any(compared[term.operator](wanted) for wanted in term.values)
