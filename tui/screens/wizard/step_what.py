"""Step 1: feature config, model config, and what the experiment is called."""

from collections.abc import Iterator, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.definitions import Definitions
from engine.text import safe_line
from tui.look import Look
from tui.screens.wizard.entries import (
    MODEL_TYPES,
    feature_entries,
    model_entries,
)
from tui.screens.wizard.fields import Field, TextInput
from tui.screens.wizard.meaning_what import MeaningOfWhat
from tui.screens.wizard.one_of import OneOf, Option
from tui.screens.wizard.pick_list import PickList

_OTHER_LINES = 9
"""Lines of the left side that aren't lists: type, two headings, three texts, three gaps."""
_LEAST_LINES = 3
_READING = ("reading the definitions …",)
_INIT = ("Leave this, and run in a shell", "  towerlab init FILE…")


class StepWhat(Horizontal):
    """What to run. The screen asks the engine and tells this step the answers.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    StepWhat { height: 1fr; }
    StepWhat .group { height: auto; margin-top: 1; }
    StepWhat .group > Static { text-style: bold; height: 1; }
    StepWhat .group:focus-within { text-style: none; }
    StepWhat .group:focus-within > Static { color: $accent; }
    StepWhat .group > VerticalScroll { height: auto; }
    StepWhat #field-name { margin-top: 1; }
    """

    def __init__(self, look: Look) -> None:
        super().__init__(id="what")
        self.look = look
        types = [Option(name, name.capitalize()) for name in MODEL_TYPES]
        self.model_type = OneOf(look, "model_type", types)
        self.features = PickList(look, "feature_config", _READING)
        self.models = PickList(look, "model_config_name", _READING)
        self.pickers = (self.features, self.models)
        self._called = TextInput("name", "optional")
        self.fields = {
            "name": Field(look, "name", self._called),
            "description": Field(look, "description", TextInput("description", "optional")),
            "tags": Field(look, "tags", TextInput("tags", "separated by commas")),
        }
        self.meaning = MeaningOfWhat(look)
        self._definitions: Definitions | None = None

    def compose(self) -> ComposeResult:
        """Put the choices left and what they mean right."""
        with VerticalScroll(classes="choices", can_focus=False):
            yield Field(self.look, "model_type", self.model_type, label="Type").add_class("-narrow")
            for heading, picker in (("Features", self.features), ("Model", self.models)):
                with Vertical(classes="group"):
                    yield Static(Content(heading))
                    with VerticalScroll(can_focus=False):
                        yield picker
            yield from self.fields.values()
        with VerticalScroll(classes="meaning", can_focus=False):
            yield self.meaning

    def on_resize(self, event: events.Resize) -> None:
        """Share the height between the two lists, and the width."""
        del event
        self._share_height()
        self.call_after_refresh(self.propose)

    def show(self, definitions: Definitions, features: str, model: str) -> None:
        """Show definitions with these chosen, where they are still there."""
        self._definitions = definitions
        self._fill(features, model)

    def propose(self) -> None:
        """Say in the empty name what it means."""
        names = [safe_line(picker.choice, limit=40) for picker in self.pickers]
        proposed = Content(" · ".join(names) if all(names) else "optional")
        room = self._called.content_size.width or proposed.cell_length
        fitting = proposed.truncate(room, ellipsis=True)
        self._called.placeholder = fitting.plain

    def refill(self) -> None:
        """Show what serves the model type that is chosen now."""
        if self._definitions is not None:
            self._fill(self.features.choice, self.models.choice)

    def _fill(self, features: str, model: str) -> None:
        definitions = self._definitions
        if definitions is None:
            return
        kind = self.model_type.value
        self.features.fill(
            feature_entries(definitions, kind),
            features,
            tuple(_no_features_told(bool(definitions.features), kind)),
        )
        self.models.fill(
            model_entries(definitions, kind),
            model,
            tuple(_no_models_told(bool(definitions.models), kind)),
        )
        self._share_height()

    def _share_height(self) -> None:
        room = max(self.size.height - _OTHER_LINES, 2 * _LEAST_LINES)
        above, below = shared((self.features.length, self.models.length), room)
        for picker, lines in zip(self.pickers, (above, below), strict=True):
            if isinstance(picker.parent, VerticalScroll):
                picker.parent.styles.max_height = lines


def shared(lengths: Sequence[int], room: int) -> tuple[int, int]:
    """Return how many lines each of two lists gets of what both have to share."""
    first, second = lengths
    above = min(first, max(_LEAST_LINES, room // 2, room - second))
    below = min(second, max(_LEAST_LINES, room - above))
    return max(above, 1), max(below, 1)


def _no_features_told(others: bool, model_type: str) -> Iterator[str]:
    if others:
        yield f"{model_type.capitalize()} needs a target; none has one."
        yield "Add one in definitions/features.toml:"
        yield '  target = "COLUMN"'
    else:
        yield "There is no feature config yet."
        yield from _INIT


def _no_models_told(others: bool, model_type: str) -> Iterator[str]:
    if others:
        yield f"No model config is of type {model_type}."
        yield "Add one in definitions/models.toml:"
        yield f'  type = "{model_type}"'
    else:
        yield "There is no model config yet."
        yield from _INIT
