"""A notification goes by itself in a terminal that answers no query and where nobody types."""

from tests.cloud.pty_screen import Screen
from tests.e2e.test_app import Start, app, folder

__all__ = ["app", "folder"]


def test_a_notification_goes_without_a_key(app: Start) -> None:
    terminal = app()
    screen = Screen(terminal, 80, 24)
    screen.wait_for("The first", " quit")
    terminal.press("y")
    screen.wait_for("Copied: ")
    screen.wait_without("Copied: ", seconds=30)
    terminal.press("q")
    assert terminal.wait() == 0
