"""Step 2: how much data, how it is split, how it is trained, where it runs."""

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.planning import Plan
from tui.look import Look
from tui.screens.wizard.draft import DAYS_OF, DEFAULTS, NO, YES
from tui.screens.wizard.fields import Field, NumberInput
from tui.screens.wizard.meaning_how import MeaningOfHow
from tui.screens.wizard.one_of import OneOf, Option

_SPLITS = (
    Option("random", "random"),
    Option("time-holdout", "time holdout"),
    Option("strict-time", "strict time"),
)
_SAMPLE_BY = (Option("", "auto"), Option("buyer", "buyers"), Option("row", "rows"))
_STOPPING = (
    Option(NO, "off"),
    Option("val_loss", "val loss"),
    Option("primary", "primary"),
)
_DETERMINISTIC = (Option(NO, "off"), Option(YES, "on"))
_LOCAL = Option("local", "local")
_UPLOAD = (Option(NO, "in BigQuery"), Option(YES, "send the sample"))
_HARDWARE = (
    Option("", "auto"),
    Option("small", "small"),
    Option("medium", "medium"),
    Option("large", "large"),
)
_DATA, _TRAINING, _MACHINE = (
    ("sample_percent", "sample_by", "split", "holdout_days", "train_days", "val_days", "test_days"),
    (
        "epochs",
        "batch_size",
        "learning_rate",
        "early_stopping",
        "patience",
        "seed",
        "deterministic",
    ),
    ("backend", "upload_rows", "hardware"),
)
_DAY_FIELDS = ("holdout_days", "train_days", "val_days", "test_days")


def _vertex(reason: str) -> Option:
    return Option("vertex", "vertex (Google Cloud)", reason=reason)


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
        self.backend = OneOf(look, "backend", (_LOCAL, _vertex("It isn't known yet: wait.")))
        self.stopping = OneOf(look, "early_stopping", _STOPPING)
        choices = (
            self.split,
            self.backend,
            self.stopping,
            OneOf(look, "sample_by", _SAMPLE_BY),
            OneOf(look, "deterministic", _DETERMINISTIC),
            OneOf(look, "upload_rows", _UPLOAD),
            OneOf(look, "hardware", _HARDWARE),
        )
        self.meaning = MeaningOfHow(look)
        controls = {choice.field: choice for choice in choices}
        self.fields = {
            name: Field(look, name, controls.get(name) or NumberInput(name))
            for name in (*_DATA, *_TRAINING, *_MACHINE)
        }
        self.propose(None, None)

    def compose(self) -> ComposeResult:
        """Put the choices left and what they mean right."""
        with VerticalScroll(classes="choices", can_focus=False):
            yield Static(Content("Data"), classes="heading")
            yield from (self.fields[name] for name in _DATA)
            yield Static(Content("Training"), classes="heading -next")
            yield from (self.fields[name] for name in _TRAINING)
            yield Static(Content("Machine"), classes="heading -next")
            yield from (self.fields[name] for name in _MACHINE)
        with VerticalScroll(classes="meaning", can_focus=False):
            yield self.meaning

    def on_mount(self) -> None:
        """Show the fields that the choices need."""
        self.adapt()

    def adapt(self) -> None:
        """Show only the fields that the other choices need."""
        needed = DAYS_OF[self.split.value]
        for name in _DAY_FIELDS:
            self.fields[name].display = name in needed
        self.fields["patience"].display = bool(self.stopping.value)
        self.fields["upload_rows"].display = self.backend.value == "vertex"

    def offer_backends(self, unavailable: Mapping[str, str]) -> None:
        """Offer Google Cloud, or say why it can't be chosen."""
        self.backend.offer((_LOCAL, _vertex(unavailable.get("vertex", ""))))

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
