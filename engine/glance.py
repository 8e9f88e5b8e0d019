"""What the app's first frame shows, straight from the SQLite file, before the engine is imported.

The standard library and SQLite alone: opening the `Engine` costs half a second of imports, this a
few milliseconds. Whatever is unusual gives None, and the app waits for the engine, which knows how
to migrate, to repair and to explain.
"""

import tomllib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pysqlite3  # the store's own SQLite: two libraries on one file would drop each other's locks

from engine.cards import COLUMNS, Card, CardPage
from engine.states import STATUSES, Status
from engine.workspace import CONFIG, Workspace

SCHEMA = "0005"
"""The revision of the database that is understood here; a test compares it with the store's."""

_sqlite: Any = pysqlite3  # carries no types
_PATIENCE_SECONDS = 0.02
_PAGE = f"SELECT {', '.join(COLUMNS)} FROM experiments ORDER BY number DESC LIMIT ?"
_TOTAL = "SELECT count(*) FROM experiments INDEXED BY ix_experiments_status_number"
"""Without the hint, SQLite counts on the widest index."""
_COUNT = "SELECT count(*) FROM experiments WHERE status = ?"
_MOST: Status = "completed"
"""Counted as the difference: nearly every experiment is."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A workspace at a glance.

    Attributes:
        name: of the workspace, as `Workspace.name`.
        page: the newest experiments, as `Engine.cards` gives them, without estimates.
        counts: as `Engine.status_counts` gives them.
    """

    name: str
    page: CardPage
    counts: Mapping[Status, int]


def glance(root: Path, *, limit: int) -> Glance | None:
    """Return what a workspace's list shows first.

    Args:
        root: folder of the workspace.
        limit: experiments on the page.

    Returns:
        None whenever anything is unusual: no database yet or one elsewhere, another schema,
        settings or a file that cannot be read, a lock.
    """
    try:
        name = _name(root)
        if name is None:
            return None
        path = quote(str(Workspace(root).default_database))
        with closing(
            _sqlite.connect(
                f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=_PATIENCE_SECONDS
            )
        ) as connection:
            return _read(connection, name, max(limit, 0))
    except (_sqlite.Error, OSError, ValueError):
        return None


def _name(root: Path) -> str | None:
    """Return the workspace's name; None where its settings need the engine."""
    settings = tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))
    workspace: Any = settings.get("workspace", {})
    if not isinstance(workspace, dict) or workspace.get("database"):
        return None
    name = workspace.get("name", "")
    return (name or root.name) if isinstance(name, str) else None


def _read(connection: Any, name: str, limit: int) -> Glance | None:  # noqa: ANN401 - no types
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("BEGIN")  # one state for all that follows
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if found != [(SCHEMA,)]:
        return None
    rows = connection.execute(_PAGE, (limit,)).fetchall()
    (total,) = connection.execute(_TOTAL).fetchone()
    counts: dict[Status, int] = {
        status: connection.execute(_COUNT, (status,)).fetchone()[0]
        for status in STATUSES
        if status != _MOST
    }
    counts[_MOST] = total - sum(counts.values())
    return Glance(
        name=name,
        page=CardPage(items=tuple(Card.from_columns(row) for row in rows), total=total),
        counts={status: counts[status] for status in STATUSES},
    )
