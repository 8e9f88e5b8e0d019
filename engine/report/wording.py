"""How figures read in a report."""

from datetime import UTC, datetime, timedelta

_LARGE = 1e15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number(value: float | None) -> str:
    """Return a number in a few characters: `1,234`, `0.1234`, `3.2e-07`."""
    if value is None:
        return "–"
    if value == int(value) and abs(value) < _LARGE:
        return f"{int(value):,}"
    magnitude = abs(value)
    if 1_000 <= magnitude < _LARGE:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share in percent; what isn't nothing is never shown as 0%."""
    return "< 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def moment(microseconds: float | None) -> str:
    """Return epoch microseconds as a date and time in UTC."""
    if microseconds is None:
        return "–"
    try:
        return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M}"
    except OverflowError:
        return number(microseconds)
