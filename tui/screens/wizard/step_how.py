"""Step 2: how much data, how it is split, how it is trained, where it runs."""

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.planning import Plan
from tui.look import Look
from tui.screens.wizard.draft import DAYS_OF, DEFAULTS
from tui.screens.wizard.fields import Field, NumberInput
from tui.screens.wizard.meaning_how import MeaningOfHow
from tui.screens.wizard.one_of import OneOf, Option

_SPLITS = (
    Option("random", "random"),
    Option("time-holdout", "time holdout"),
    Option("strict-time", "strict time"),
)
_BACKENDS = (Option("local", "local"), Option("vertex", "vertex (not yet)", available=False))
_HARDWARE = (
    Option("", "auto"),
    Option("small", "small"),
    Option("medium", "medium"),
    Option("large", "large"),
)
_DAY_FIELDS = ("holdout_days", "train_days", "val_days", "test_days")


class StepHow(Horizontal):
    """How to run it. The screen asks the engine and tells this step the answers.

    Args:
        look: what the terminal can show.
    """

    DEFAULT_CSS = """
    StepHow { height: 1fr; }
    StepHow .heading { text-style: bold; height: 1; }
    StepHow .heading.-next { margin-top: 1; }
    """

    def __init__(self, look: Look) -> None:
        super().__init__(id="how")
        self.look = look
        self.split = OneOf(look, "split", _SPLITS)
        self.backend = OneOf(look, "backend", _BACKENDS)
        self.hardware = OneOf(look, "hardware", _HARDWARE)
        self.meaning = MeaningOfHow(look)
        self.fields: dict[str, Field] = {}
        for name in ("sample_percent", "split", *_DAY_FIELDS):
            self._add(name)
        for name in ("epochs", "batch_size", "learning_rate", "seed", "backend", "hardware"):
            self._add(name)
        self.propose(None, None)

    def compose(self) -> ComposeResult:
        """Put the choices left and what they mean right."""
        with VerticalScroll(classes="choices", can_focus=False):
            yield Static(Content("Data"), classes="heading")
            for name in ("sample_percent", "split", *_DAY_FIELDS):
                yield self.fields[name]
            yield Static(Content("Training"), classes="heading -next")
            for name in ("epochs", "batch_size", "learning_rate", "seed"):
                yield self.fields[name]
            yield Static(Content("Machine"), classes="heading -next")
            yield self.fields["backend"]
            yield self.fields["hardware"]
        with VerticalScroll(classes="meaning", can_focus=False):
            yield self.meaning

    def on_mount(self) -> None:
        """Show the day fields that the split needs."""
        self.adapt()

    def adapt(self) -> None:
        """Show only the day fields that the chosen split needs."""
        needed = DAYS_OF[self.split.value]
        for name in _DAY_FIELDS:
            self.fields[name].display = name in needed

    def propose(self, plan: Plan | None, own_batch_size: int | None) -> None:
        """Say in every empty field what it means.

        Args:
            plan: resolved values; None while they aren't known.
            own_batch_size: the model config's, None where the data decides.
        """
        params = plan.params if plan is not None else None
        given = {
            "sample_percent": ("from the data", params and f"{params.sample_percent:g}"),
            "batch_size": (
                f"from the {'model' if own_batch_size else 'data'}",
                params and f"{params.batch_size:,}",
            ),
            "learning_rate": ("from the model", params and f"{params.learning_rate:g}"),
            **{name: ("default", f"{value:,}") for name, value in DEFAULTS.items()},
            **dict.fromkeys(_DAY_FIELDS, ("days", None)),
        }
        for name, (source, value) in given.items():
            control = self.fields[name].control
            if isinstance(control, NumberInput) and not (control.value and params):
                control.propose(value or "", f"{source}: {value}" if value else source)

    def _add(self, name: str) -> None:
        choices = {"split": self.split, "backend": self.backend, "hardware": self.hardware}
        self.fields[name] = Field(self.look, name, choices.get(name) or NumberInput(name))
