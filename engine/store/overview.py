"""What a workspace holds as a whole: counts and names, read from indexes alone."""

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from engine.cards import FilterChoices
from engine.states import STATUSES, Status
from engine.store.models import ExperimentRow


def status_counts(session: Session) -> dict[Status, int]:
    """Return how many experiments have each status; every status is a key."""
    rows = session.execute(
        select(ExperimentRow.status, func.count()).group_by(ExperimentRow.status)
    )
    found = {status: count for status, count in rows}
    return {status: found.get(status, 0) for status in STATUSES}


def filter_choices(session: Session) -> FilterChoices:
    """Return the names that experiments have."""
    return FilterChoices(
        datasets=_distinct(session, ExperimentRow.dataset),
        feature_configs=_distinct(session, ExperimentRow.feature_config),
        model_configs=_distinct(session, ExperimentRow.model_config),
    )


def _distinct(session: Session, column: InstrumentedAttribute[str]) -> tuple[str, ...]:
    """Return a column's values, ascending: one step on its index each, however many rows."""
    least = select(func.min(column)).scalar_subquery()
    found = select(least.label("value")).cte(recursive=True)
    following = select(func.min(column)).where(column > found.c.value).scalar_subquery()
    found = found.union_all(select(following.correlate(found)).where(found.c.value.is_not(None)))
    values = session.scalars(select(found.c.value).where(found.c.value.is_not(None)))
    return tuple(sorted(values))
