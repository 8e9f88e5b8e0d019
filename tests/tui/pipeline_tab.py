"""What tests of the Pipeline tab share: the tab opened on a run, states of runs, its log."""

from datetime import timedelta

import pytest

from tests.engine.scripted_backend import START, ended, failure, training
from tests.tui.harness import EPOCHS, Opened
from tui.link import Link
from tui.screens.pipeline_tab import PipelineTab
from tui.widgets.log_table import LogTable

TRACEBACK = 'ERROR|Traceback (most recent call last):\n  File "a.py", line 1\nValueError: 7 shapes'
AT_WORK = training(1, EPOCHS, step=0, steps=EPOCHS)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self):
        self.now = START + timedelta(seconds=40)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(run, clock):
    def opening(**how):
        link = Link(run.root, readonly=True)
        return Opened(PipelineTab, link, run.number, clock=clock, **how)

    return opening


def cached(status, *names):
    """Return a run some of whose components came from the cache."""
    components = tuple(c.replace(cached=c.name in names) for c in status.components)
    return status.replace(components=components)


def ended_in(name, status):
    """Return a run that ended in a component."""
    run = ended(status, error=failure(component=name) if status == "failed" else None)
    at = [component.name for component in run.components].index(name)
    never = {"status": "pending", "started_at": None, "ended_at": None}
    components = (
        *run.components[:at],
        run.components[at].replace(status=status),
        *(component.replace(**never) for component in run.components[at + 1 :]),
    )
    return run.replace(components=components)


def log_of(tab):
    """Return the lines of the log that are on screen."""
    region = tab.widget.query_one(LogTable).region
    lines = tab.text.split("\n")[region.y : region.bottom]
    return [line.strip() for line in lines if line.strip()]
