"""Starting processes that outlive us, and signalling a process without hitting a stranger."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EnvironmentNotReady
from engine.spec.process import ProcessIdentity

__all__ = ["ProcessIdentity", "send_signal", "start_detached"]


def start_detached(args: Sequence[str], *, log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: it survives us, the terminal and Ctrl-C.

    Its input is empty; its output is appended to `log`. Should it end first, it is reaped.

    Raises:
        EnvironmentNotReady: the process could not be started.
    """
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        resource = error.filename or args[0]
        raise EnvironmentNotReady(
            f"A process could not be started ({resource}: {error.strerror}).",
            hint="Free memory or disk space.",
        ) from error
    threading.Thread(target=process.wait, name=f"reap {process.pid}", daemon=True).start()
    return process


def send_signal(process: ProcessIdentity, signum: signal.Signals) -> bool:
    """Send a signal to this very process; False when it no longer lives.

    The pidfd pins the process before its identity is checked, so a reused pid is never hit.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not process.is_alive():
            return False
        signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True
