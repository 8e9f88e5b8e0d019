"""The lines around the steps: where one is; what would be run, or what is in the way."""

from dataclasses import dataclass

from textual.content import Content

from engine.errors import EngineError
from engine.planning import Plan, QuickTestRequest
from engine.text import safe_line
from tui.look import ACCENT, BAD, BOLD, FAINT, MUTED, WARNING, Look
from tui.screens.wizard.draft import LABELS, Checked


def title(step: str, look: Look) -> Content:
    """Return the title, with the step that is shown."""
    here, there = f"{BOLD} {ACCENT}", MUTED
    first = step == "what"
    return Content.assemble(
        ("New experiment", BOLD),
        "    ",
        ("1 What", here if first else there),
        (look.draw("  ▸  "), FAINT),
        ("2 How", there if first else here),
    )


@dataclass(frozen=True)
class State:
    """What the summary depends on.

    Attributes:
        loaded: whether the definitions are known.
        starting: whether the run is being started.
        trouble: what starting it, or reading the definitions, failed of.
        checked: what is filled in.
        answer: what the engine makes of it; None while that is awaited.
    """

    loaded: bool
    starting: bool
    trouble: EngineError | None
    checked: Checked
    answer: Plan | EngineError | None


def summary(state: State, look: Look) -> Content:
    """Return the summary."""
    checked = state.checked
    wrong = next((name for name in checked.problems if name not in checked.open), None)
    if state.starting:
        return Content.styled(look.draw("◌ Checking the data, then starting …"), ACCENT)
    if state.trouble is not None:
        return _said(str(state.trouble), look)
    if not state.loaded:
        return Content.styled(look.draw("◌ Reading the definitions …"), MUTED)
    if wrong is not None:
        return _said(f"{LABELS[wrong]}: {checked.problems[wrong]}", look)
    if checked.open:
        needed = ", ".join(label for name, label in LABELS.items() if name in checked.open)
        return Content.styled(f"Still needed: {needed}", MUTED)
    if isinstance(state.answer, EngineError):
        return _said(state.answer.message, look)
    if checked.request is None:
        return Content("")
    return _forecast(checked.request, state.answer, look)


def _forecast(request: QuickTestRequest, plan: Plan | None, look: Look) -> Content:
    rows = f"{plan.rows.train:,}" if plan else look.draw("…")
    batch = plan.params.batch_size if plan else request.batch_size
    parts = [
        Content.assemble((rows, BOLD), " train rows"),
        Content(f"{request.epochs:,} epoch{'' if request.epochs == 1 else 's'}"),
        Content(f"{batch:,} a batch" if batch else "batch from the data"),
        Content(request.backend),
        Content("no cost" if request.backend == "local" else "billed by Google"),
    ]
    warnings = len(plan.warnings) if plan else 0
    if warnings:
        told = f"! {warnings} warning{'' if warnings == 1 else 's'}"
        parts.append(Content.styled(told, WARNING))
    return Content(look.draw(" · ")).join(parts)


def _said(text: str, look: Look) -> Content:
    return Content.styled(f"{look.icon('failed')} {safe_line(text, limit=600)}", BAD)
