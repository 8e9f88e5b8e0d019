"""The last line of a screen: the keys that count now, from the registry of actions."""

from collections.abc import Sequence

from textual.content import Content

from tui.actions import ACTIONS, Action
from tui.look import ACCENT, BOLD, MUTED, Look
from tui.widgets.line_block import LineBlock

_LAST = ("help", "quit")
"""Shown whatever the width."""


class KeyBar(LineBlock):
    """Shows the actions of what has the focus, as many as there is room for.

    Args:
        look: what the terminal can show.
        readonly: whether actions that change something are left out.
    """

    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; padding: 0 1; }"

    def __init__(self, look: Look, *, readonly: bool) -> None:
        super().__init__(look)
        self._readonly = readonly

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.redraw())

    def lines(self, width: int) -> Sequence[Content]:
        """Return the line."""
        keys = self._keys()
        items = {id_: self._item(ACTIONS[id_], keys[id_]) for id_ in ACTIONS if id_ in keys}
        last = [items.pop(id_) for id_ in _LAST if id_ in items]
        room = width - sum(item.cell_length for item in last)
        parts: list[Content] = []
        for item in items.values():
            room -= item.cell_length
            if room < 0:
                break
            parts.append(item)
        return [Content("").join([*parts, *last])]

    def _keys(self) -> dict[str, set[str]]:
        """Return the keys that count now, by the action that they do."""
        found: dict[str, set[str]] = {}
        for key, active in self.screen.active_bindings.items():
            action = ACTIONS.get(active.binding.id or "")
            if action is None or not action.footer or (action.writes and self._readonly):
                continue
            if active.enabled:
                found.setdefault(action.id, set()).add(key)
        return found

    def _item(self, action: Action, keys: set[str]) -> Content:
        key = self.look.draw(action.key_of(keys))
        return Content.assemble((key, f"{BOLD} {ACCENT}"), (f" {action.label}  ", MUTED))
