"""Who a process is: boot id, pid and start time together, never the pid alone (pids are reused)."""

import os
from pathlib import Path
from typing import Self

from engine.spec.base import Frozen

_START_TICKS, _STATE = 19, 0
"""Positions in `/proc/PID/stat`, counted behind the command's closing bracket (see proc(5))."""


class ProcessIdentity(Frozen):
    """A process of this or an earlier boot; `start_ticks` counts clock ticks from boot to start."""

    pid: int
    boot_id: str
    start_ticks: int

    @classmethod
    def current(cls) -> Self:
        """Return the identity of the calling process."""
        found = cls.of(os.getpid())
        if found is None:
            raise RuntimeError("/proc is not mounted: a process cannot be identified.")
        return found

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the identity of a process of this host; None when none with that pid lives."""
        fields = _stat(pid)
        if fields is None or fields[_STATE] in "ZX":
            return None
        return cls(pid=pid, boot_id=_boot_id(), start_ticks=int(fields[_START_TICKS]))

    def is_alive(self) -> bool:
        """Whether this very process still lives on this host; a zombie is dead."""
        now = ProcessIdentity.of(self.pid)
        return now is not None and (now.boot_id, now.start_ticks) == (
            self.boot_id,
            self.start_ticks,
        )


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
