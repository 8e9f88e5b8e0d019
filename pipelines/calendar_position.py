"""Where a moment lies within its year, quarter, month, week and day, in UTC.

Integer arithmetic on the proleptic Gregorian calendar, after Howard Hinnant, "chrono-Compatible
Low-Level Date Algorithms" (`days_from_civil`, `civil_from_days`).
"""

from collections.abc import Callable
from typing import NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

_DAY = 86_400_000_000
"""Microseconds."""
_WEEK_OFFSET = 3
"""1970-01-01 was a Thursday; weeks start on Monday."""


class _Date(NamedTuple):
    """Years and months (1 to 12) of some days, `[n] int64` each."""

    year: tf.Tensor
    month: tf.Tensor


def _date(day: tf.Tensor) -> _Date:
    """Return year and month of days since 1970-01-01."""
    shifted = day + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    month = tf.where(from_march < 10, from_march + 3, from_march - 9)
    return _Date(year_of_era + era * 400 + tf.cast(month <= 2, tf.int64), month)


def _first_day(year: tf.Tensor, month: tf.Tensor) -> tf.Tensor:
    """Return the days from 1970-01-01 to the first of a month; month 13 is the next January."""
    year = year + (month - 1) // 12
    month = tf.math.floormod(month - 1, 12) + 1
    year = year - tf.cast(month <= 2, tf.int64)
    era = year // 400
    year_of_era = year - era * 400
    from_march = tf.math.floormod(month + 9, 12)
    day_of_year = (153 * from_march + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def _in_months(moment: tf.Tensor, months: int) -> tf.Tensor:
    """Return the position in periods of so many months, the first of which starts in January."""
    date = _date(moment // _DAY)
    first = (date.month - 1) // months * months + 1
    start = _first_day(date.year, first) * _DAY
    end = _first_day(date.year, first + months) * _DAY
    return tf.cast(moment - start, tf.float64) / tf.cast(end - start, tf.float64)


def _in_days(moment: tf.Tensor, days: int, offset: int) -> tf.Tensor:
    """Return the position in periods of so many days."""
    length = days * _DAY
    return tf.cast(tf.math.floormod(moment + offset * _DAY, length), tf.float64) / length


POSITIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "yearly": lambda moment: _in_months(moment, 12),
    "quarterly": lambda moment: _in_months(moment, 3),
    "monthly": lambda moment: _in_months(moment, 1),
    "weekly": lambda moment: _in_days(moment, 7, _WEEK_OFFSET),
    "daily": lambda moment: _in_days(moment, 1, 0),
}
"""From epoch microseconds `[n] int64` to the position in [0, 1) `[n] float64`."""
