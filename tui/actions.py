"""Every action of the app, once: its keys, its words, where it counts.

Footer, help overlay and command palette are made from this registry, and the screens' key bindings
too, so that none of them can say what another doesn't do.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from textual.binding import Binding

Group = Literal[
    "Move",
    "Experiments",
    "Filter",
    "Wizard",
    "Pipeline",
    "Data",
    "Training",
    "Compare",
    "Everywhere",
]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person can do with a key.

    Attributes:
        id: name of the method `action_<id>` that does it.
        keys: Textual's key names; the first is the one shown.
        label: one or two words for the footer.
        help: a sentence without a full stop for help and palette.
        group: heading in the help overlay.
        shown: how the key is written; made from the first key when empty.
        footer: whether the footer has room for it.
        writes: whether it changes something, which `--readonly` forbids.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: Group
    shown: str = ""
    footer: bool = False
    writes: bool = False

    @property
    def key(self) -> str:
        """The key as it is written for people."""
        return self.shown or _written(self.keys[0])

    def key_of(self, active: Collection[str]) -> str:
        """Return the key as it is written where only some of the keys count."""
        if self.keys[0] in active:
            return self.key
        return next((_written(key) for key in self.keys if key in active), self.key)


def _written(key: str) -> str:
    names = {
        "enter": "Enter",
        "escape": "Esc",
        "space": "Space",
        "slash": "/",
        "question_mark": "?",
        "colon": ":",
        "left_square_bracket": "[",
        "right_square_bracket": "]",
        "tab": "Tab",
        "up": "↑",
        "down": "↓",
        "f1": "F1",
    }
    if key.startswith("ctrl+"):
        return f"Ctrl-{key.removeprefix('ctrl+').upper()}"
    return names.get(key, key)


_ALL: Final = (
    # Move
    Action("down", ("j", "down"), "down", "Next experiment or line", "Move", "j ↓"),
    Action("up", ("k", "up"), "up", "Previous experiment or line", "Move", "k ↑"),
    Action("page_down", ("pagedown", "ctrl+d"), "page down", "A page down", "Move", "PgDn"),
    Action("page_up", ("pageup", "ctrl+u"), "page up", "A page up", "Move", "PgUp"),
    Action("first", ("g", "home"), "first", "To the first", "Move"),
    Action("last", ("G", "end"), "last", "To the last", "Move"),
    # Experiments
    Action("new", ("n",), "new", "New experiment", "Experiments", footer=True, writes=True),
    Action("open", ("enter",), "open", "Open the experiment", "Experiments", footer=True),
    Action(
        "rerun",
        ("r",),
        "rerun",
        "Run it again as a new experiment, as it was or changed",
        "Experiments",
        footer=True,
        writes=True,
    ),
    Action(
        "cancel",
        ("x",),
        "cancel",
        "Cancel the run (asks first)",
        "Experiments",
        footer=True,
        writes=True,
    ),
    Action(
        "delete",
        ("d",),
        "delete",
        "Delete the experiment and its files (asks first)",
        "Experiments",
        footer=True,
        writes=True,
    ),
    Action(
        "promote",
        ("P",),
        "promote",
        "Run it on all rows on Google Cloud (asks first)",
        "Experiments",
        writes=True,
    ),
    Action("copy", ("y",), "copy", "Copy the command that shows it", "Experiments"),
    Action("mark", ("space",), "mark", "Mark or unmark for comparing, up to 4", "Experiments"),
    Action(
        "compare", ("c",), "compare", "Compare the marked experiments", "Experiments", footer=True
    ),
    # Comparison
    Action(
        "differences",
        ("D",),
        "differences",
        "Only what differs, or all rows",
        "Compare",
        footer=True,
    ),
    Action(
        "next_baseline",
        ("b",),
        "baseline",
        "Compare with the next experiment instead",
        "Compare",
        footer=True,
    ),
    Action(
        "export_comparison",
        ("e",),
        "export",
        "Write the comparison as Markdown, CSV or JSON into the workspace",
        "Compare",
        footer=True,
        writes=True,
    ),
    # Filter
    Action("filter", ("slash",), "filter", "Search and filter", "Filter", footer=True),
    Action("clear_filter", ("ctrl+l",), "clear", "Clear search and filters", "Filter"),
    Action(
        "choose",
        ("enter", "space", "down"),
        "choose",
        "Choose the value of the filter",
        "Filter",
        footer=True,
    ),
    Action("leave", ("escape",), "to the list", "Back to the list", "Filter", footer=True),
    # Experiment view
    Action("next_tab", ("right_square_bracket",), "next tab", "Next tab", "Move"),
    Action(
        "previous_tab",
        ("left_square_bracket",),
        "tabs",
        "Previous tab, next tab",
        "Move",
        "[ ]",
        footer=True,
    ),
    Action(
        "next_component",
        ("right", "l"),
        "component",
        "Next component, component before",
        "Pipeline",
        "← →",
        footer=True,
    ),
    Action("previous_component", ("left", "h"), "previous", "Previous component", "Pipeline", "←"),
    Action("refresh_logs", ("R",), "refresh logs", "Read the logs again", "Pipeline"),
    Action(
        "search_log",
        ("slash",),
        "search log",
        "Show only log lines that contain a text",
        "Pipeline",
        footer=True,
    ),
    Action(
        "open_line",
        ("enter",),
        "whole line",
        "Show the whole log line, or only its beginning again",
        "Pipeline",
        footer=True,
    ),
    Action("copy_line", ("y",), "copy", "Copy the log line", "Pipeline"),
    Action("next_split", ("s",), "split", "Statistics of the next split", "Data", footer=True),
    Action(
        "export_report",
        ("e",),
        "report",
        "Write result, curves and statistics as an HTML file into the workspace",
        "Data",
        footer=True,
        writes=True,
    ),
    Action("log_scale", ("L",), "log scale", "Logarithmic loss axis", "Training", footer=True),
    Action("next_chart", ("c",), "charts", "Next page of charts", "Training", footer=True),
    Action("previous_chart", ("C",), "charts before", "Page of charts before", "Training"),
    Action(
        "next_histogram",
        ("t",),
        "histogram",
        "Histogram of the weights, then gradients, of the next tower",
        "Training",
        footer=True,
    ),
    Action(
        "next_layer",
        ("l",),
        "layer",
        "Histogram of the weights of the next layer",
        "Training",
        footer=True,
    ),
    Action(
        "read_left",
        ("left",),
        "epoch",
        "Read the epoch before, the next one",
        "Training",
        "← →",
    ),
    Action("read_right", ("right",), "next epoch", "Read the next epoch", "Training", "→"),
    # Wizard
    Action("continue", ("ctrl+n",), "next", "Next step", "Wizard", footer=True),
    Action("step_back", ("ctrl+b",), "step back", "Previous step", "Wizard", footer=True),
    Action("start", ("ctrl+s",), "start", "Start the run", "Wizard", footer=True, writes=True),
    # Everywhere
    Action("back", ("escape",), "back", "Back one level; never quits", "Everywhere", footer=True),
    Action(
        "help", ("question_mark", "f1"), "help", "What the keys do here", "Everywhere", footer=True
    ),
    Action("palette", ("colon", "ctrl+p"), "commands", "Find an action by its name", "Everywhere"),
    Action("theme", ("T",), "light/dark", "Light or dark", "Everywhere"),
    Action("suspend", ("ctrl+z",), "suspend", "Back to the shell; fg returns", "Everywhere"),
    Action("quit", ("q",), "quit", "Leave; runs go on", "Everywhere", footer=True),
)
ACTIONS: Final[dict[str, Action]] = {action.id: action for action in _ALL}


def bindings(*ids: str, priority: Iterable[str] = ()) -> list[Binding]:
    """Return the key bindings of actions, to be a widget's or screen's `BINDINGS`.

    Args:
        ids: of the actions.
        priority: those that come before the bindings of what has the focus.
    """
    first = set(priority)
    return [
        Binding(
            ",".join(action.keys),
            action.id,
            action.label,
            show=action.footer,
            key_display=action.key,
            tooltip=action.help,
            id=action.id,
            priority=action.id in first,
        )
        for action in (ACTIONS[id_] for id_ in ids)
    ]
