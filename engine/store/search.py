"""Which experiments a list shows: filters and words, newest first, by page.

Rows are wide, so matches are counted on indexes alone: each filter gives numbers from an index that
holds all it needs, and their intersection is what matches.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, intersect, select
from sqlalchemy.orm import Session

from engine.cards import COLUMNS, Card, CardPage
from engine.snapshots import ExperimentPage
from engine.spec import ModelType
from engine.states import STATUSES, Status
from engine.store.models import ExperimentRow
from engine.store.views import summary

Query = TypeVar("Query", bound=Select[Any])

_NUMBER = re.compile(r"#(\d{1,18})")
_MANY = 5_000
"""Above so many matches, the newest are soon found by walking back from the newest row."""

_ALL = 2**62
"""A limit that limits nothing, but keeps SQLite from reading whole rows for their order."""

_CARD_QUERY = cast("Select[Any]", select(*(getattr(ExperimentRow, name) for name in COLUMNS)))


@dataclass(frozen=True, slots=True)
class ExperimentFilter:
    """What an experiment must have; None and "" match all."""

    status: Status | None = None
    model_type: ModelType | None = None
    dataset: str | None = None
    feature_config: str | None = None
    model_config: str | None = None
    search: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions, to be joined by AND."""
        return [*self._equalities(), *self._words(), *self._numbers()]

    def matches(self, *, above: int | None = None) -> "Select[int] | CompoundSelect[int]":
        """Return a SELECT of the numbers that match, from indexes alone.

        Args:
            above: only numbers greater than this.
        """
        limits = self._numbers()
        if above is not None:
            limits.append(ExperimentRow.number > above)
        words = self._words()
        parts = [_numbers(condition, *limits) for condition in self._equalities()]
        if words:
            found = _numbers(*words, *limits).limit(_ALL).subquery()
            parts.append(select(found.c.number))
        if not parts:
            # Naming every status makes it the status's index that is read.
            parts.append(_numbers(ExperimentRow.status.in_(STATUSES), *limits))
        return parts[0] if len(parts) == 1 else intersect(*parts)

    def few(self, session: Session) -> list[int] | None:
        """Return the numbers that match, newest first; None where many have the words, or all."""
        words, others = self._words(), self._equalities()
        if not words:
            return None
        query = _numbers(*words, *self._numbers()).limit(_MANY + 1)
        found = list(session.scalars(query))
        if len(found) > _MANY:
            return None
        if found and others:
            found = session.scalars(_numbers(*others, ExperimentRow.number.in_(found)))
        return sorted(found, reverse=True)

    def _equalities(self) -> list[ColumnElement[bool]]:
        columns = {
            ExperimentRow.status: self.status,
            ExperimentRow.model_type: self.model_type,
            ExperimentRow.dataset: self.dataset,
            ExperimentRow.feature_config: self.feature_config,
            ExperimentRow.model_config: self.model_config,
        }
        return [column == value for column, value in columns.items() if value is not None]

    def _words(self) -> list[ColumnElement[bool]]:
        return [
            ExperimentRow.search_text.contains(word, autoescape=True)
            # The longest is the rarest, mostly: where it is missing, the others aren't looked for.
            for word in sorted(searchable(self.search).split(), key=len, reverse=True)
            if not _NUMBER.fullmatch(word)
        ]

    def _numbers(self) -> list[ColumnElement[bool]]:
        found = (_NUMBER.fullmatch(word) for word in self.search.split())
        return [ExperimentRow.number == int(number[1]) for number in found if number]


def searchable(text: str) -> str:
    """Return text in the form in which it is searched: without case."""
    return text.casefold()


def page(session: Session, wanted: ExperimentFilter, *, limit: int, offset: int) -> ExperimentPage:
    """Return the experiments that match, newest first."""
    query, total = _paged(session, select(ExperimentRow), wanted, limit, offset)
    return ExperimentPage(items=tuple(summary(row) for row in session.scalars(query)), total=total)


def cards(session: Session, wanted: ExperimentFilter, *, limit: int, offset: int) -> CardPage:
    """Return the cards of the experiments that match, newest first."""
    query, total = _paged(session, _CARD_QUERY, wanted, limit, offset)
    return CardPage(
        items=tuple(Card.from_columns(row) for row in session.execute(query)), total=total
    )


def position(session: Session, wanted: ExperimentFilter, number: int) -> int | None:
    """Return how many matches are newer than an experiment; None when it doesn't match."""
    same = select(ExperimentRow.number).where(*wanted.conditions(), ExperimentRow.number == number)
    if session.scalar(same) is None:
        return None
    return _count(session, wanted.matches(above=number))


def _numbers(*conditions: ColumnElement[bool]) -> "Select[int]":
    return select(ExperimentRow.number).where(*conditions)


def _count(session: Session, matches: "Select[int] | CompoundSelect[int]") -> int:
    return session.scalar(select(func.count()).select_from(matches.subquery())) or 0


def _paged(
    session: Session, query: Query, wanted: ExperimentFilter, limit: int, offset: int
) -> tuple[Query, int]:
    """Return a SELECT over experiments limited to one page, and how many match in all."""
    limit, offset = max(limit, 0), max(offset, 0)
    newest_first = query.order_by(ExperimentRow.number.desc())
    few = wanted.few(session)
    if few is not None:
        shown = few[offset : offset + limit]
        return newest_first.where(ExperimentRow.number.in_(shown)), len(few)
    total = _count(session, wanted.matches())
    if total > _MANY and offset <= _MANY:
        return newest_first.where(*wanted.conditions()).limit(limit).offset(offset), total
    matches = wanted.matches().subquery()
    numbers = select(matches.c.number).order_by(matches.c.number.desc())
    shown = numbers.limit(limit).offset(offset)
    return newest_first.where(ExperimentRow.number.in_(shown)), total
