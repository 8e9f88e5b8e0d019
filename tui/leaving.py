"""Leaving when the terminal goes, or when somebody asks the process to end."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

_LEAVING_SECONDS = 3.0
"""What Textual may take to leave before the process ends all the same."""


def leave_on_signals(leave: Callable[[int], None]) -> None:
    """Call `leave` with the exit code on SIGTERM and SIGHUP; to be called in the app's loop.

    Textual's thread that writes to the terminal may wait for ever once that is gone.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _leave, number, leave)


def _leave(number: signal.Signals, leave: Callable[[int], None]) -> None:
    code = 128 + number
    if number == signal.SIGHUP:
        end = threading.Timer(_LEAVING_SECONDS, os._exit, (code,))
        end.daemon = True
        end.start()
    leave(code)
