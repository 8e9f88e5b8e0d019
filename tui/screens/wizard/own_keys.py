"""Keys that reach the field they were typed in, however fast they come.

Textual runs the binding of a focused widget only after the key has travelled up to the app, while
letters are handled by the widget at once. A burst, as a slow connection delivers it, may thus
delete after it has typed, or step a value after the focus has moved on.
"""

import asyncio
from typing import cast

from textual import events
from textual.screen import Screen
from textual.widget import Widget


class OwnKeys:
    """A widget that runs its own bindings itself, in the order of the keys; a first base class."""

    async def on_key(self, event: events.Key) -> None:
        """Do what the key is bound to here."""
        widget = cast("Widget", self)
        for binding in widget._bindings.key_to_bindings.get(event.key, ()):  # pyright: ignore[reportPrivateUsage]
            event.stop()
            event.prevent_default()
            await widget.run_action(binding.action)


async def typed(screen: Screen[int | None]) -> None:
    """Wait until the focused widget has done what all keys before this one say.

    For actions with priority that move the focus: they overtake these keys.
    """
    done = asyncio.Event()
    if screen.focused is not None and screen.focused.call_later(done.set):
        await done.wait()
