"""What no screen may have: parts that overlap, are cut, or words of ours that don't fit."""

from collections.abc import Iterator
from itertools import combinations

from textual.app import App
from textual.widget import Widget

from tui.actions import ACTIONS
from tui.screens.experiment import Title
from tui.widgets.header import Header
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_block import LineBlock
from tui.widgets.tab_bar import TabBar

_NEVER_CUT = (KeyBar, TabBar, Header, Title)


def flaws(app: App[object]) -> list[str]:
    """Return a sentence for each flaw of the screen."""
    width, height = app.size
    found = [
        f"line {y} is {strip.cell_length} cells wide"
        for y, strip in enumerate(app.screen._compositor.render_strips())
        if strip.cell_length != width
    ]
    for widget in [app.screen, *app.screen.query("*")]:
        if _is_seen(widget):
            found += _overlapping(widget)
            found += _outside(widget)
            if isinstance(widget, LineBlock):
                found += _cut(widget)
    for bar in app.screen.query(KeyBar):
        found += _incomplete(bar)
        if bar.region.bottom != height:
            found.append("the key bar isn't at the bottom")
    return found


def _is_seen(widget: Widget) -> bool:
    return widget.display and widget.visible and widget.region.area > 0


def _overlapping(parent: Widget) -> Iterator[str]:
    seen = [child for child in parent.displayed_children if _is_seen(child)]
    for one, other in combinations(seen, 2):
        if one.layer == other.layer and one.region.overlaps(other.region):
            yield f"{one} {one.region} and {other} {other.region} overlap"


def _outside(widget: Widget) -> Iterator[str]:
    parent = widget.parent
    if not isinstance(parent, Widget) or not _is_seen(parent):
        return
    if parent.allow_vertical_scroll or parent.allow_horizontal_scroll:
        return
    if not parent.region.contains_region(widget.region):
        yield f"{widget} {widget.region} is cut by {parent} {parent.region}"


def _cut(block: LineBlock) -> Iterator[str]:
    width = block.content_size.width
    for y, line in enumerate(block.lines(width)):
        if line.cell_length <= width:
            continue
        drawn = block.render_line(y).text.rstrip()
        if isinstance(block, _NEVER_CUT) or drawn[-1:] not in ("…", block.look.draw("…")):
            yield f"{block} cuts {line.plain!r} at {width}"


def _incomplete(bar: KeyBar) -> Iterator[str]:
    known = {
        f"{bar.look.draw(action.key_of([key]))} {action.label}"
        for action in ACTIONS.values()
        for key in action.keys
    }
    (line,) = bar.lines(bar.content_size.width)
    shown = [item for item in line.plain.split("  ") if item.strip()]
    yield from (f"the key bar shows {item!r}" for item in shown if item.strip() not in known)
    here = {active.binding.id for active in bar.screen.active_bindings.values() if active.enabled}
    for id_ in ("help", "quit"):
        if id_ in here and not any(item.endswith(ACTIONS[id_].label) for item in shown):
            yield f"the key bar lacks {id_}"
