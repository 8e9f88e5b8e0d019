"""Cards, counts, choices, positions and the change token: what lists are made of."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from engine.api import Engine
from engine.store import open_database
from engine.store.models import ExperimentRow
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import ScriptedBackend

MANY = 6_000


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "config.toml").touch()
    return Workspace(tmp_path)


@pytest.fixture
def engine(workspace):
    with Engine(
        workspace,
        start_worker=False,
        backends={"local": ScriptedBackend()},
        planner=SamplePlanner(),
    ) as engine:
        yield engine


@pytest.fixture
def change(workspace, engine):
    """Set columns of an experiment as another process would."""
    database = open_database(workspace.database_url)

    def set_columns(number, **values):
        with database.write() as session:
            session.execute(
                update(ExperimentRow).where(ExperimentRow.number == number).values(**values)
            )

    yield set_columns
    database.close()


@pytest.fixture
def many(workspace, engine):
    """Copies of experiment 1, enough that lists are read in another way."""
    engine.create(REQUEST)
    copied = {
        "number": "NULL",
        "uid": "printf('%016x', i)",
        "status": "CASE i % 10 WHEN 0 THEN 'failed' ELSE 'completed' END",
        "search_text": "'run ' || i || ' with a description'",
        "dataset": "'dataset-' || (i % 7)",
        "feature_config": "'features-' || (i % 20)",
    }
    names = [column.name for column in ExperimentRow.__table__.columns]
    database = open_database(workspace.database_url)
    with database.write() as session:
        session.execute(
            text(
                f"WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT {MANY})"
                f" INSERT INTO experiments ({', '.join(names)})"
                f" SELECT {', '.join(copied.get(name, name) for name in names)}"
                " FROM experiments, r WHERE number = 1"
            )
        )
    database.close()


def test_card_has_what_the_summary_has(engine, change):
    start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    number = engine.create(
        REQUEST.replace(name="A [b]", description="d", tags=("x", "Größe"))
    ).number
    change(
        number,
        status="failed",
        stage="Train",
        progress=0.5,
        recall_at_100=0.25,
        difference=0.1,
        difference_low=0.05,
        difference_high=0.15,
        error_component="Train",
        error_message="out of memory",
        error_hint="Lower the batch size.",
        started_at=start,
        ended_at=start + timedelta(seconds=90),
    )
    (card,), (summary,) = engine.cards().items, engine.list_experiments().items
    same = ("number", "uid", "name", "description", "tags", "status", "intent", "stage", "progress")
    same += ("model_type", "backend", "dataset", "feature_config", "created_at", "started_at")
    same += ("ended_at", "ended", "duration_seconds")
    assert {n: getattr(card, n) for n in same} == {n: getattr(summary, n) for n in same}
    assert card.model_config == summary.model_config_name
    assert card.duration_seconds == 90
    assert card.tags == ("x", "Größe")
    params = (card.sample_percent, card.epochs, card.batch_size, card.learning_rate)
    assert params == (
        summary.params.sample_percent,
        summary.params.epochs,
        summary.params.batch_size,
        summary.params.learning_rate,
    )
    assert (card.recall_at_100, card.recall_at_5) == (0.25, None)
    interval = summary.difference
    assert (card.difference, card.difference_low, card.difference_high) == (
        interval.value,
        interval.low,
        interval.high,
    )
    assert (card.error_component, card.error_message, card.error_hint) == (
        "Train",
        "out of memory",
        "Lower the batch size.",
    )


def test_intents_show_instead_of_the_status(engine, change):
    first, second, third = (engine.create(REQUEST).number for _ in range(3))
    engine.cancel(first)
    engine.delete(second)
    change(third, status="cancelled", cancel_requested_at=datetime.now(UTC))
    assert [card.intent for card in engine.cards().items] == [None, "deleting", "cancelling"]


def test_version_grows_with_every_change(engine):
    number = engine.create(REQUEST).number
    before = engine.cards().items[0].version
    engine.cancel(number)
    assert engine.cards().items[0].version > before


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, lambda i: True),
        ({"status": "failed"}, lambda i: i % 10 == 0),
        ({"status": "completed"}, lambda i: i % 10),
        ({"status": "completed", "feature_config": "features-3"}, lambda i: i % 20 == 3),
        ({"search": "run"}, lambda i: True),
        ({"search": "run 77"}, lambda i: "77" in str(i)),
        ({"search": "description", "status": "completed"}, lambda i: i % 10),
        ({"search": "77", "status": "failed"}, lambda i: "77" in str(i) and i % 10 == 0),
        ({"search": "77 #78"}, lambda i: i == 77),
        ({"search": "#78", "status": "failed"}, lambda i: False),
        ({"search": "nothing"}, lambda i: False),
        ({"dataset": "dataset-2", "search": "RUN"}, lambda i: i % 7 == 2),
    ],
)
def test_pages_hold_what_matches_newest_first(engine, many, wanted, matches):
    expected = [i + 1 for i in range(MANY, 0, -1) if matches(i)]
    if not wanted:
        expected.append(1)
    for offset in (0, 3, len(expected) - 2, len(expected) + 5):
        page = engine.cards(**wanted, limit=4, offset=max(offset, 0))
        assert page.total == len(expected)
        numbers = [card.number for card in page.items]
        assert numbers == expected[max(offset, 0) :][:4]
        listed = engine.list_experiments(**wanted, limit=4, offset=max(offset, 0))
        assert ([e.number for e in listed.items], listed.total) == (numbers, page.total)
    for place in {0, len(expected) // 2, len(expected) - 1} & set(range(len(expected))):
        assert engine.position(expected[place], **wanted) == place
    assert engine.position(MANY + 2, **wanted) is None


def test_position_of_what_does_not_match_is_unknown(engine):
    number = engine.create(REQUEST).number
    assert engine.position(number) == 0
    assert engine.position(number, status="failed") is None
    assert engine.position(number, search="else") is None


def test_every_status_is_counted(engine, change):
    numbers = [engine.create(REQUEST).number for _ in range(3)]
    change(numbers[0], status="completed")
    assert engine.status_counts() == {
        "submitting": 2,
        "running": 0,
        "completed": 1,
        "failed": 0,
        "cancelled": 0,
        "lost": 0,
    }


def test_choices_are_the_names_in_use(engine, change):
    empty = engine.filter_choices()
    assert (empty.datasets, empty.feature_configs, empty.model_configs) == ((), (), ())
    for names in (("b", "wide"), ("a", "wide"), ("b", "Ärmel")):
        number = engine.create(REQUEST).number
        change(number, dataset=names[0], feature_config=names[1])
    choices = engine.filter_choices()
    assert choices.datasets == ("a", "b")
    assert choices.feature_configs == ("wide", "Ärmel")
    assert choices.model_configs == ("retrieval-small",)


def test_new_experiments_are_found_by_the_names_of_their_definitions(engine):
    number = engine.create(REQUEST.replace(name="mine")).number
    for word in ("ratings", "basic", "retrieval-small", "Ratings"):
        assert [card.number for card in engine.cards(search=word).items] == [number]


def test_token_changes_with_every_change_and_only_then(engine, workspace, change):
    tokens = [engine.change_token()]
    number = engine.create(REQUEST).number
    tokens.append(engine.change_token())
    change(number, progress=0.5)
    tokens.append(engine.change_token())
    assert len(set(tokens)) == 3
    engine.cards()
    assert engine.change_token() == tokens[-1]


def test_token_may_be_asked_for_from_any_thread(engine, in_threads):
    before = engine.change_token()
    assert set(in_threads(engine.change_token, 8)) == {before}
