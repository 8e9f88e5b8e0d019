"""Documents of an experiment: large JSON, stored as the text that pydantic writes."""

from typing import Literal, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.store.models import DocumentRow

Kind = Literal["spec", "request", "definitions", "warnings", "metrics", "history"]
T = TypeVar("T")


def put(session: Session, number: int, kind: Kind, content: str) -> None:
    """Store a document, replacing the one that was there."""
    session.merge(DocumentRow(experiment_number=number, kind=kind, content=content))


def get(session: Session, number: int, kind: Kind, shape: type[T] | TypeAdapter[T]) -> T | None:
    """Return a document, or None where the experiment has none of this kind."""
    content = session.scalar(
        select(DocumentRow.content).where(
            DocumentRow.experiment_number == number, DocumentRow.kind == kind
        )
    )
    if content is None:
        return None
    adapter = shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)
    return adapter.validate_json(content)
