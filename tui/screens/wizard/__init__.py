"""The New experiment wizard: what to run and how, with what each choice means beside it."""

from tui.screens.wizard.screen import WizardScreen

__all__ = ["WizardScreen"]
