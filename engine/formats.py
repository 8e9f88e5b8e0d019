"""How values read: figures, times, sizes and the icons of statuses, for commands and screens.

The standard library only: the app's first frame needs it.
"""

from datetime import datetime

ICONS: dict[str, tuple[str, str]] = {
    "submitting": ("◌", "."),
    "pending": ("◌", "."),
    "running": ("◐", "*"),
    "completed": ("✔", "v"),
    "failed": ("✖", "x"),
    "cancelled": ("⊘", "-"),
    "lost": ("?", "?"),
    "cached": ("↺", "="),
    "cancelling": ("◐", "*"),
    "deleting": ("◐", "*"),
    "warning": ("!", "!"),
}
"""By status, intent or kind of note: the icon, and what stands for it in ASCII."""


def figure(value: float | None, decimals: int = 3) -> str:
    """Return a metric with three decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}"


def duration(seconds: float | None) -> str:
    """Return seconds as "0:07", "3:12" or "1:03:12"."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, as "now", "5 min", "3 h", "12 d"."""
    seconds = (now - moment).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size):,} {unit}"
    return "now"


def clock(moment: datetime) -> str:
    """Return a moment in the machine's own time zone, to the minute."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def size(count: float) -> str:
    """Return bytes as "640 B", "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def epochs_text(epochs: int, trained: int | None) -> str:
    """Return "1 epoch", "20 epochs", or "7 of 20 epochs" where training stopped early."""
    early = "" if trained is None or trained >= epochs else f"{trained} of "
    return f"{early}{epochs} epoch{'' if epochs == 1 else 's'}"
