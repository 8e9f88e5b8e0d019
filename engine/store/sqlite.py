"""How SQLite is opened: pragmas, write-ahead log where it is safe, explicit transactions.

- Writes start with BEGIN IMMEDIATE. A read that upgrades to a write fails at once with
  BUSY_SNAPSHOT, whatever the busy timeout is.
- The write-ahead log needs shared memory, so a local file system, and a SQLite whose WAL-reset bug
  (lost commits with several writers and checkpoints) is fixed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

WRITES = "writes"
"""Execution option of connections whose transactions write."""

_BUSY_TIMEOUT_MS = 30_000
_LOCAL_FILE_SYSTEMS = frozenset({"btrfs", "ext2", "ext3", "ext4", "overlay", "tmpfs", "xfs", "zfs"})
_WAL_RESET_FIXED = (3, 51, 3)
_WAL_RESET_BACKPORTS = {(3, 44): 6, (3, 50): 7}
"""Minor versions to the patch level that carries the fix."""


def sqlite_engine(url: URL) -> Engine:
    """Return an engine over a SQLite file; nothing is opened yet."""
    import pysqlite3

    module: Any = pysqlite3  # carries no types
    journal = (
        "WAL"
        if wal_is_safe(module.sqlite_version_info, file_system(Path(url.database or ".")))
        else "DELETE"
    )
    pragmas = (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        f"journal_mode={journal}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    )
    # isolation_level None: the driver begins nothing by itself, `_begin` does.
    engine = create_engine(
        url,
        module=module,
        connect_args={"isolation_level": None, "timeout": _BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: "DBAPIConnection", record: "ConnectionPoolEntry") -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def wal_is_safe(version: tuple[int, int, int], file_system: str) -> bool:
    """Return whether this SQLite may use the write-ahead log on this type of file system."""
    patch = _WAL_RESET_BACKPORTS.get(version[:2])
    fixed = version >= _WAL_RESET_FIXED or (patch is not None and version[2] >= patch)
    return fixed and file_system in _LOCAL_FILE_SYSTEMS


def file_system(path: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that a path is on; empty when that is unknown."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    found, depth = "", -1
    for line in lines:
        fields = line.split(" ")
        mount_point = Path(fields[4].encode().decode("unicode_escape"))
        # A later mount on the same point hides the earlier one.
        if resolved.is_relative_to(mount_point) and len(mount_point.parts) >= depth:
            found, depth = fields[fields.index("-") + 1], len(mount_point.parts)
    return found
