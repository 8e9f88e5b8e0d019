"""Logs of an experiment's components, newest first."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import attrgetter

from engine.errors import NotFound
from engine.snapshots import LogLine
from engine.spec.run_folder import COMPONENT_NAMES, TFX_NAMES, ComponentName, LogEntry

_BY_NAME: dict[str, ComponentName] = {
    **{name.lower(): name for name in COMPONENT_NAMES},
    **{tfx.lower(): name for tfx, name in TFX_NAMES.items()},
}


def component_named(name: str) -> ComponentName:
    """Return the component that people or TFX call so, in any case.

    Raises:
        NotFound: there is no such component.
    """
    found = _BY_NAME.get(name.strip().lower())
    if found is None:
        raise NotFound(
            f"There is no component {name!r}.", hint=f"There are {', '.join(COMPONENT_NAMES)}."
        )
    return found


def component_logs(
    read: Callable[[Sequence[ComponentName]], Mapping[ComponentName, Sequence[LogEntry]]],
    component: str | None,
    *,
    limit: int,
) -> tuple[LogLine, ...]:
    """Return the newest log lines of one component, or of all, newest first.

    Args:
        read: returns the newest entries of components, newest first.
        component: as people or TFX call it; all when None.
        limit: how many lines.

    Raises:
        NotFound: there is no such component.
        EnvironmentNotReady: the backend does not answer.
    """
    chosen: Sequence[ComponentName]
    chosen = COMPONENT_NAMES if component is None else (component_named(component),)
    # From the last component backwards: sorting is stable, so entries of the same moment stay
    # newest first.
    entries = read(chosen)
    lines = [
        LogLine(component=name, **entry.model_dump())
        for name in reversed(chosen)
        for entry in entries[name]
    ]
    if component is None:
        lines.sort(key=attrgetter("timestamp"), reverse=True)
    return tuple(islice(lines, max(limit, 0)))
