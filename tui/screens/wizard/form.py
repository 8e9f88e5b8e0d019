"""Both steps as one form: its fields by name, what they say, which step is shown."""

from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from tui.look import Look
from tui.screens.wizard.draft import STEP_ONE
from tui.screens.wizard.fields import TextInput
from tui.screens.wizard.one_of import OneOf
from tui.screens.wizard.pick_list import PickList
from tui.screens.wizard.step_how import StepHow
from tui.screens.wizard.step_what import StepWhat

_STEP_ONE = ("model_type", *STEP_ONE)


class Form(ContentSwitcher):
    """Shows one of the steps.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    Form { height: 1fr; }
    Form VerticalScroll { scrollbar-size-vertical: 1;
        scrollbar-color: $faint; scrollbar-background: $background;
        scrollbar-color-hover: $muted; scrollbar-background-hover: $background;
        scrollbar-color-active: $muted; scrollbar-background-active: $background; }
    Form .choices { width: 56%; max-width: 64; padding: 0 1; }
    Form .meaning { width: 1fr; max-width: 76; padding: 0 0 0 2; }
    Form .meaning > * { padding-right: 1; }
    """

    def __init__(self, look: Look) -> None:
        self.what = StepWhat(look)
        self.how = StepHow(look)
        self.fields = {**self.what.fields, **self.how.fields}
        """The fields of both steps by name; the lists are none."""
        self._controls: dict[str, Widget] = {
            "model_type": self.what.model_type,
            "feature_config": self.what.features,
            "model_config_name": self.what.models,
            **{name: field.control for name, field in self.fields.items()},
        }
        super().__init__(self.what, self.how, initial="what")

    @property
    def step(self) -> str:
        """The id of the step that is shown."""
        return self.current or "what"

    @property
    def texts(self) -> dict[str, str]:
        """What is filled in, by field."""
        texts: dict[str, str] = {}
        for name, control in self._controls.items():
            if isinstance(control, PickList):
                texts[name] = control.choice
            elif isinstance(control, TextInput | OneOf):
                texts[name] = control.value
        return texts

    @property
    def has_typing(self) -> bool:
        """Whether leaving would lose more than choices."""
        return any(control.value for control in self.query(TextInput))

    @property
    def meaning(self) -> VerticalScroll:
        """What scrolls at the right."""
        return self.query_one(f"#{self.step} .meaning", VerticalScroll)

    def go(self, name: str) -> None:
        """Show the step of a field and focus it."""
        self.current = "what" if name in _STEP_ONE else "how"
        self.screen.set_focus(self._controls[name])

    def neighbour(self, by: int, *, around: bool) -> str | None:
        """Return the field after (1) or before (-1) the focused one in its step.

        With `around` the first comes after the last; else that is None.
        Textual's own order is that of the last layout, and the day fields may be newer.
        """
        names = [
            name
            for name in self._controls
            if (name in _STEP_ONE) == (self.step == "what")
            and (name not in self.how.fields or self.how.fields[name].display)
        ]
        focused = self.screen.focused
        now = next((i for i, name in enumerate(names) if self._controls[name] is focused), 0)
        following = (now + by) % len(names) if around else now + by
        return names[following] if following < len(names) else None
