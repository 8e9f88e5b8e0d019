"""The state machine on paper, and what a look at a run says about stage and progress."""

import pytest

from engine.backends.base import RunStatus
from engine.lifecycle import TRANSITIONS, last_stage, path, progress, share_of_train, sources, stage
from engine.spec.run_folder import Progress
from engine.states import ACTIVE, TERMINAL
from tests.engine.scripted_backend import START, at_component, ended, training


def test_every_status_is_either_active_or_terminal():
    assert set(TRANSITIONS) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_terminal_states_absorb():
    assert all(not TRANSITIONS[status] for status in TERMINAL)


@pytest.mark.parametrize(
    ("start", "target", "steps"),
    [
        ("submitting", "running", ("running",)),
        ("submitting", "completed", ("running", "completed")),
        ("submitting", "failed", ("failed",)),
        ("submitting", "cancelled", ("cancelled",)),
        ("running", "submitting", ()),
        ("running", "lost", ("lost",)),
        ("lost", "completed", ("completed",)),
        ("completed", "failed", ()),
        ("cancelled", "running", ()),
    ],
)
def test_path_takes_legal_steps_only(start, target, steps):
    assert path(start, target) == steps


def test_sources_of_completed_have_started():
    assert sources("completed") == {"running", "lost"}


def with_progress(phase, **counts):
    return at_component(4, progress=Progress(phase=phase, updated_at=START, **counts))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RunStatus(phase="starting"), "Starting"),
        (RunStatus(phase="running"), "Starting"),
        (at_component(0), "Examples"),
        (at_component(3), "Transform"),
        (at_component(4), "Train"),
        (with_progress("loading"), "Train, loading"),
        (training(2, 3, step=40, steps=90), "Train, epoch 2 of 3"),
        (with_progress("evaluating", epoch=3, epochs=3), "Train, evaluating"),
        (with_progress("exporting"), "Train, exporting"),
    ],
)
def test_stage_is_told_in_words(run, words):
    assert stage(run) == words


def test_stage_between_two_components_is_the_next():
    run = at_component(2)
    components = tuple(
        c.replace(status="pending") if c.status == "running" else c for c in run.components
    )
    assert stage(run.replace(components=components)) == "Schema"


@pytest.mark.parametrize(
    ("run", "share"),
    [
        (RunStatus(phase="starting"), 0.0),
        (at_component(0), 0.0),
        (at_component(1), 0.15),
        (at_component(4), 0.35),  # 0.15 + 0.05 + 0.02 + 0.13
        (training(2, 3, step=45, steps=90), 0.6425),  # 0.35 + 0.65 * (0.05 + 0.8 / 2)
        (with_progress("evaluating"), 0.9025),  # 0.35 + 0.65 * 0.85
        (training(1, 1, step=99, steps=90), 0.9025),  # never past the end of training
        (ended("completed"), 1.0),
    ],
)
def test_progress_weighs_components_and_training_steps(run, share):
    assert progress(run) == pytest.approx(share)


def test_cached_components_fill_nothing_of_the_bar():
    run = training(2, 3, step=45, steps=90)
    names = ("Examples", "Stats", "Schema")
    run = run.replace(components=tuple(c.replace(cached=c.name in names) for c in run.components))
    # Transform and Train are left: (0.13 + 0.65 * (0.05 + 0.8 / 2)) / 0.78
    assert progress(run) == pytest.approx(0.5417, abs=1e-4)
    assert share_of_train(progress(run), names) == pytest.approx(0.45, abs=1e-3)


@pytest.mark.parametrize(
    ("status", "seen", "component", "left"),
    [
        ("completed", "Train, exporting", None, None),
        ("cancelled", "Cancelling", None, None),
        ("failed", "Train, epoch 9 of 100", "Train", "Train, epoch 9 of 100"),
        ("failed", "Cancelling", "Transform", "Transform"),
    ],
)
def test_only_a_failed_experiment_keeps_the_stage_it_ended_in(status, seen, component, left):
    assert last_stage(status, seen, component) == left
