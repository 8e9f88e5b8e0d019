"""Messages between the app and its screens: small payloads that nobody changes."""

from dataclasses import dataclass

from textual.message import Message


class WorkspaceChanged(Message, bubble=False):
    """Somebody changed the workspace's database: what is shown may be old."""


class DefinitionsChanged(Message, bubble=False):
    """A definition file changed; the engine already has its new content."""


@dataclass
class OpenExperiment(Message):
    """Show an experiment.

    Attributes:
        number: of the experiment.
    """

    number: int
