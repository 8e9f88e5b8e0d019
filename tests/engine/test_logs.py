"""Component logs: by people's names and TFX's, newest first."""

from datetime import timedelta

import pytest

from engine.errors import NotFound
from engine.logs import component_logs, component_named
from engine.spec.run_folder import LogEntry
from tests.engine.scripted_backend import START

UID = "a" * 16


def entries(*seconds):
    """Return entries as a backend does, newest first."""
    return [
        LogEntry(timestamp=START + timedelta(seconds=s), severity="INFO", message=str(s))
        for s in sorted(seconds, reverse=True)
    ]


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("Train", "Train"),
        ("train", "Train"),
        ("TRAINER", "Train"),
        ("ExampleGen", "Examples"),
        (" stats ", "Stats"),
        ("StatisticsGen", "Stats"),
        ("SchemaGen", "Schema"),
        ("transform", "Transform"),
    ],
)
def test_components_have_two_names(name, component):
    assert component_named(name) == component


def test_unknown_component_is_told_what_there_is():
    with pytest.raises(NotFound, match="Examples, Stats, Schema, Transform, Train"):
        component_named("Pusher")


@pytest.fixture
def read(backend):
    return lambda names: {name: backend.logs(UID, name) for name in names}


def test_one_component(backend, read):
    backend.log_entries[UID, "Train"] = entries(1, 2, 3)
    lines = component_logs(read, "trainer", limit=2)
    assert [(line.component, line.message) for line in lines] == [("Train", "3"), ("Train", "2")]


def test_all_components_are_merged_by_time(backend, read):
    backend.log_entries[UID, "Examples"] = entries(1, 5)
    backend.log_entries[UID, "Train"] = entries(5, 9)
    lines = component_logs(read, None, limit=3)
    assert [(line.component, line.message) for line in lines] == [
        ("Train", "9"),
        ("Train", "5"),
        ("Examples", "5"),
    ]


def test_run_without_logs_has_none(read):
    assert component_logs(read, None, limit=50) == ()
