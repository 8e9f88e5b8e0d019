"""Which column is the buyer, the product, the time, the revenue: given by name, else guessed."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.scaffold.inspection import SourceColumn, SourceTable

Role = Literal["buyer", "product", "timestamp", "revenue", "target"]
Choose = Callable[[Role, SourceTable, list[str]], str | None]
"""Asks a person for the column that plays a role; None where nobody can be asked."""

# Best first. An id column's name is one of these words, alone or with one of _ID_WORDS.
_ID_NAMES: dict[Role, tuple[str, ...]] = {
    "buyer": (
        "buyer", "customer", "household", "user", "shopper", "client", "consumer", "member",
        "visitor", "account", "reviewer", "person", "uid",
    ),
    "product": (
        "product", "item", "sku", "article", "asin", "movie", "book", "isbn", "track", "song",
        "listing", "offer", "game", "recipe", "anime", "course", "iid",
    ),
}  # fmt: skip
_ID_WORDS = {"id", "key", "code", "no", "number", "num", "nr", "uuid", "guid", "hash"}
_NAMES: dict[Role, tuple[str, ...]] = {
    "timestamp": ("timestamp", "time", "datetime", "date", "at", "ts", "day"),
    "revenue": (
        "revenue", "sales", "spent", "spend", "amount", "turnover", "total", "gmv", "paid", "price",
    ),
    "target": ("rating", "stars", "score"),
}  # fmt: skip
_DECIMAL_COMMA = "Numbers with a decimal comma are read as text: write 4.5, not 4,5."
_EPOCH_WORDS = {"timestamp", "ts", "epoch", "unix"}


@dataclass(frozen=True)
class Roles:
    """The columns of the table of interactions that play a part, by their names in the file."""

    buyer: str
    product: str
    timestamp: str | None = None
    revenue: str | None = None
    target: str | None = None


def find_roles(
    tables: Iterable[SourceTable], given: dict[Role, str], choose: Choose
) -> tuple[SourceTable, Roles]:
    """Find the table of interactions (the largest with a buyer and a product) and its roles.

    Args:
        tables: at least one.
        given: columns that somebody named.
        choose: asked for a buyer or product column that can't be guessed.

    Raises:
        InvalidInput: a named column doesn't exist, has the wrong type, or has to be named.
    """
    by_size = sorted(tables, key=lambda table: table.rows, reverse=True)
    table = next(
        (t for t in by_size if all(_given_or_guessed(r, t, given) for r in ("buyer", "product"))),
        next((t for t in by_size if all(t.column(n) for n in given.values())), by_size[0]),
    )
    return table, _roles(table, given, choose)


def words(name: str) -> list[str]:
    """Return the lower-case words of a column's name: of `userId`, "user" and "id"."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    found = re.findall(r"[a-z0-9]+", spaced.lower())
    joined = found[0].removesuffix("id") if len(found) == 1 else ""
    is_id = any(joined in nouns for nouns in _ID_NAMES.values())
    return [joined, "id"] if is_id and joined != found[0] else found


def _roles(table: SourceTable, given: dict[Role, str], choose: Choose) -> Roles:
    buyer = _required("buyer", table, given, choose, taken=())
    product = _required("product", table, given, choose, taken=(buyer,))
    if buyer == product:
        raise InvalidInput(f"Column {quoted(buyer)} can't be both the buyer and the product.")
    found: dict[Role, str | None] = {}
    for role in ("timestamp", "target", "revenue"):
        column = _given_or_guessed(role, table, given)
        named = {buyer, product, *found.values()}
        found[role] = column if role in given or column not in named else None
    return Roles(
        buyer, product, found["timestamp"], revenue=found["revenue"], target=found["target"]
    )


def _required(
    role: Role, table: SourceTable, given: dict[Role, str], choose: Choose, taken: tuple[str, ...]
) -> str:
    column = _given_or_guessed(role, table, given)
    if column:
        return column
    if role in given:
        raise _no_such_column(role, given[role], table)
    candidates = [c.name for c in table.columns if _may_be_id(c) and c.name not in taken]
    if not candidates:
        raise InvalidInput(f"{table.source} has no column that could be the {role} id.")
    chosen = choose(role, table, candidates)
    if chosen is None:
        raise InvalidInput(
            f"Which column of {table.source} is the {role} id can't be told from its columns.",
            hint=f"Pass --{role} with one of: {', '.join(candidates)}.",
        )
    return chosen


def _given_or_guessed(role: Role, table: SourceTable, given: dict[Role, str]) -> str | None:
    if role not in given:
        others = set(given.values())
        usable = [c for c in table.columns if _fits(role, c) and c.name not in others]
        if role in _ID_NAMES:
            return _guess_id(role, usable)
        return _guess(role, [column for column in usable if column.distinct > 1])
    column = table.column(given[role])
    if column is None:
        if role in _ID_NAMES:
            return None
        raise _no_such_column(role, given[role], table)
    if not _fits(role, column):
        needed = {"timestamp": "dates or times", "revenue": "numbers", "target": "numbers"}
        raise InvalidInput(
            f"Column {quoted(column.name)} of {table.source} can't be the {role}:"
            f" it holds no {needed.get(role, 'ids')}.",
            hint=_DECIMAL_COMMA if role in ("revenue", "target") and column.kind == "text" else "",
        )
    if column.distinct == 0:
        raise InvalidInput(
            f"Column {quoted(column.name)} of {table.source} can't be the {role}: it holds no"
            " values."
        )
    return column.name


def _guess_id(role: Role, columns: list[SourceColumn]) -> str | None:
    """Return the one column that is named best; None where two are named equally well."""
    ranked: list[tuple[int, str]] = []
    for column in columns:
        named = [word.removesuffix("s") for word in words(column.name)]
        nouns = [word for word in named if word not in _ID_WORDS]
        if len(nouns) == 1 and nouns[0] in _ID_NAMES[role]:
            # An id column beats a bare noun, whichever noun it is.
            bare = 0 if len(named) > len(nouns) else len(_ID_NAMES[role])
            ranked.append((_ID_NAMES[role].index(nouns[0]) + bare, column.name))
    ranked.sort()
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def _guess(role: Role, columns: list[SourceColumn]) -> str | None:
    """Return the column whose name holds the best word; of several, the one with most values."""
    if role == "timestamp":
        # Numbers are times only where their name leaves no doubt.
        columns = [
            c
            for c in columns
            if c.kind == "time" or (c.kind == "integer" and _EPOCH_WORDS & set(words(c.name)))
        ]
    for noun in _NAMES[role]:
        named = [c for c in columns if noun in [*words(c.name), *_singular(c.name)]]
        if named:
            return max(named, key=lambda c: c.distinct).name
    times = [c for c in columns if role == "timestamp"]
    return max(times, key=lambda c: c.distinct).name if times else None


def _singular(name: str) -> list[str]:
    return [word.removesuffix("s") for word in words(name)]


def _fits(role: Role, column: SourceColumn) -> bool:
    if role in _ID_NAMES:
        return column.kind in ("text", "integer", "float")
    if role == "timestamp":
        return column.kind not in ("boolean", "other")
    return column.kind in ("integer", "float")


def _may_be_id(column: SourceColumn) -> bool:
    return column.kind in ("text", "integer") and column.distinct > 1


def _no_such_column(role: Role, name: str, table: SourceTable) -> InvalidInput:
    return InvalidInput(
        f"{table.source} has no column {quoted(name)} (--{role}).",
        hint=f"It has: {', '.join(column.name for column in table.columns)}.",
    )
