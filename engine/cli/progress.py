"""Watching an experiment until it has ended: drawn live on a terminal, plain lines elsewhere."""

import signal
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.api import Engine
from engine.cli.output import foreign, status_icon, status_text
from engine.formats import duration, figure
from engine.lifecycle import STARTING
from engine.snapshots import ComponentView, ExperimentDetail, TrainingHistory

POLL_SECONDS = 0.4
_LINE_SECONDS = 10
"""How often a line tells that a start still takes."""
_IMPORTING = "Starting: importing TensorFlow, once"
_BAR_WIDTH = 30


class Reporter(Protocol):
    """Shows looks at an experiment."""

    def show(self, seen: ExperimentDetail, history: TrainingHistory | None) -> None:
        """Show what has changed since the last look."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def follow(
    engine: Engine, number: int, reporter: Reporter, *, poll_seconds: float = POLL_SECONDS
) -> ExperimentDetail:
    """Report on an experiment until it has ended.

    Raises:
        NotFound: there is no such experiment (any more).
        KeyboardInterrupt: somebody doesn't want to watch any longer; the experiment goes on.
    """
    with _leaving_tidily() as leave_if_asked, closing(reporter):
        while True:
            leave_if_asked()
            seen = engine.get(number)
            training = any(c.name == "Train" and c.status != "pending" for c in seen.components)
            reporter.show(seen, engine.history(number) if training else None)
            if seen.ended:
                return seen
            time.sleep(poll_seconds)


class Reasons:
    """Tells why an experiment cannot start yet, each reason once, and nothing else.

    Args:
        to: where remarks go.
    """

    def __init__(self, to: Console) -> None:
        self._to = to
        self._told: set[str] = set()

    def show(self, seen: ExperimentDetail, history: TrainingHistory | None) -> None:
        """Print the reason, if there is a new one."""
        del history
        if seen.ended or seen.error is None or seen.error.message in self._told:
            return
        self._told.add(seen.error.message)
        waiting = f"Experiment #{seen.number} waits: {seen.error.message}"
        self._to.print(foreign(f"{waiting} {seen.error.hint}".rstrip(), limit=1_000))

    def close(self) -> None:
        """Do nothing: what was to be told is out."""


class Lines:
    """One line a component and epoch, for logs and pipes.

    Args:
        to: where the lines go.
        remarks: where it is told why an experiment cannot start yet.
    """

    def __init__(self, to: Console, remarks: Console) -> None:
        self._to = to
        self._reasons = Reasons(remarks)
        self._told: set[str] = set()

    def close(self) -> None:
        """Do nothing: every line is out."""

    def show(self, seen: ExperimentDetail, history: TrainingHistory | None) -> None:
        """Print what was not printed before."""
        self._tell(Text.assemble(f"#{seen.number}  ", foreign(_title(seen))))
        self._reasons.show(seen, history)
        if _is_starting(seen) and seen.stage:
            waited = int((datetime.now(UTC) - seen.created_at).total_seconds())
            since = waited // _LINE_SECONDS * _LINE_SECONDS
            took = f" ({duration(since)} since submission)" if since > 0 else ""
            self._tell(foreign(f"{_stage(seen)}{took}"))
        for component in seen.components:
            epochs = epoch_lines(seen, history) if component.name == "Train" else []
            if component.status == "running" or epochs:
                self._tell(Text(f"{component.name} …"))
            for line in epochs:
                self._tell(Text("  ").append_text(line))
            self._tell_end(component)

    def _tell_end(self, component: ComponentView) -> None:
        if component.status in ("completed", "failed", "cancelled"):
            icon = status_icon("cached" if component.cached else component.status, to=self._to)
            self._tell(Text.assemble(icon, f" {component.name}  ", component_result(component)))

    def _tell(self, line: Text) -> None:
        if line.plain not in self._told:
            self._told.add(line.plain)
            self._to.print(line)
            self._to.file.flush()


class Display:
    """Components, bar and newest epoch, drawn in place at most every `POLL_SECONDS`.

    Args:
        to: a terminal.
    """

    def __init__(self, to: Console) -> None:
        self._to = to
        self._live = Live(console=to, auto_refresh=False, vertical_overflow="crop")
        self._shown: object = None

    def close(self) -> None:
        """Leave the last picture and show the cursor again."""
        self._live.stop()

    def show(self, seen: ExperimentDetail, history: TrainingHistory | None) -> None:
        """Draw again when something that shows has changed, such as the time to the second."""
        self._live.start()
        now = datetime.now(UTC)
        state = (seen, history and history.epochs, now.replace(microsecond=0))
        if state != self._shown:
            self._shown = state
            self._live.update(progress_view(seen, history, now=now, to=self._to), refresh=True)


def progress_view(
    seen: ExperimentDetail, history: TrainingHistory | None, *, now: datetime, to: Console
) -> RenderableType:
    """Return what `Display` draws: at most ten lines, 80 columns wide."""
    took = seen.duration_seconds
    if took is None and not seen.ended:
        since = seen.created_at if _is_starting(seen) else seen.started_at
        took = (now - since).total_seconds() if since else None
    heading = Text.assemble(
        (f"#{seen.number}  ", "bold"),
        status_text(seen.intent or seen.status, to=to),
        f" {duration(took)}" if took is not None else "",
        "  ",
        foreign(_title(seen), limit=48),
    )
    grid = Table.grid(padding=(0, 1))
    for component in seen.components:
        shown = "cached" if component.cached else component.status
        grid.add_row(
            status_icon(shown, to=to), component.name, component_result(component, now=now)
        )
    lines: list[RenderableType] = [heading, grid]
    if not seen.ended:
        lines.append(_bar(seen))
        if seen.error:  # what it waits for
            lines.append(foreign(seen.error.message, "yellow", limit=200))
    newest = epoch_lines(seen, history)[-1:]
    hint = [] if seen.ended else [Text("Ctrl-C stops watching; the run goes on.", style="dim")]
    return Group(*lines, *newest, *hint)


def component_result(component: ComponentView, *, now: datetime | None = None) -> Text:
    """Return how long a component took or has run so far, or that its result was there."""
    if component.cached:
        return Text("cached", style="dim")
    seconds = component.duration_seconds
    if seconds is None and component.started_at and now and component.status == "running":
        seconds = (now - component.started_at).total_seconds()
    took = Text("" if seconds is None else duration(seconds))
    return took if component.status != "failed" else Text.assemble(took, (" failed", "red"))


def epoch_lines(seen: ExperimentDetail, history: TrainingHistory | None) -> list[Text]:
    """Return a line an epoch: "epoch 2 of 3   loss 7.693   val 7.902   9,655 examples/s"."""
    if history is None:
        return []
    lines: list[Text] = []
    for i, epoch in enumerate(history.epochs):
        parts = [
            f"epoch {epoch + 1} of {seen.params.epochs}",
            f"loss {figure(history.loss.train[i])}",
        ]
        if (val := history.loss.val[i]) is not None:
            parts.append(f"val {figure(val)}")
        if history.examples_per_second:
            parts.append(f"{history.examples_per_second[i]:,.0f} examples/s")
        lines.append(Text("   ".join(parts)))
    return lines


def _title(seen: ExperimentDetail) -> str:
    return seen.name or f"{seen.feature_config} · {seen.model_config_name}"


def _is_starting(seen: ExperimentDetail) -> bool:
    """Whether no component has begun: what is waited for began with the submission."""
    return not seen.ended and all(c.status == "pending" for c in seen.components)


def _stage(seen: ExperimentDetail) -> str:
    if seen.stage == STARTING and seen.backend == "local":
        return _IMPORTING
    return seen.stage or ""


def _bar(seen: ExperimentDetail) -> RenderableType:
    share = seen.progress or 0.0
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=1.0, completed=share, width=_BAR_WIDTH),
        f"{share:4.0%}",
        foreign(_stage(seen), limit=40),
    )
    return bar


@contextmanager
def _leaving_tidily() -> Generator[Callable[[], None]]:
    """Let Ctrl-C, a request to end and a closed terminal unwind, so that the cursor is shown again.

    Yields what raises again: an exception that a signal raises inside a destructor is lost.
    """
    asked: list[BaseException] = []

    def leave(number: int, _: FrameType | None) -> None:
        interrupted = number == signal.SIGINT
        asked.append(KeyboardInterrupt() if interrupted else SystemExit(128 + number))
        raise asked[-1]

    def leave_if_asked() -> None:
        if asked:
            raise asked[-1]

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, leave) for name in names}
    try:
        yield leave_if_asked
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
