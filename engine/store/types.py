"""Column types that keep what SQLite and floats would lose: time zones and finiteness."""

import math
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Float
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC-aware datetime; SQLite stores it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a naive value is a bug.

        Raises:
            ValueError: the value has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored value with its zone."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class FiniteFloat(TypeDecorator[float]):
    """A float that is neither NaN nor infinite, so that every comparison and average holds."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Return the value.

        Raises:
            ValueError: the value is not finite.
        """
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value} is not finite")
        return value
